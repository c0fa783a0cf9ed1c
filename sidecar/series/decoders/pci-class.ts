import type { Decoder } from './decoder.ts';
import { createPciDecoder, hex } from './pci.ts';
import type { PciIds } from './pci-ids.ts';

/** A PCI class's number, such as 0x02, into its name. */
export function createPciClass(ids: () => PciIds | undefined): Decoder {
  return createPciDecoder(
    ids,
    (number, { classes }) => classes.get(number) ?? `unknown pci class: ${hex(number, 2)}`,
  );
}
