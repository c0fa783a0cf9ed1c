import type { Decoder } from './decoder.ts';
import { createPciDecoder, hex } from './pci.ts';
import type { PciIds } from './pci-ids.ts';

/** A PCI device's number with its vendor's before it, such as 0x80861000, into the device's name. */
export function createPciDevice(ids: () => PciIds | undefined): Decoder {
  return createPciDecoder(
    ids,
    (number, { devices }) => devices.get(number) ?? `unknown pci device: ${hex(number, 8)}`,
  );
}
