import type { Decoder } from './decoder.ts';
import { createPciDecoder, hex } from './pci.ts';
import type { PciIds } from './pci-ids.ts';

/** A PCI vendor's number, such as 0x8086, into its name. */
export function createPciVendor(ids: () => PciIds | undefined): Decoder {
  return createPciDecoder(
    ids,
    (number, { vendors }) => vendors.get(number) ?? `unknown pci vendor: ${hex(number, 4)}`,
  );
}
