import type { Decoder } from './decoder.ts';
import { createPciDecoder, hex } from './pci.ts';
import type { PciIds } from './pci-ids.ts';

/** A PCI subclass's number with its class's before it, such as 0x0200, into the subclass's name. */
export function createPciSubclass(ids: () => PciIds | undefined): Decoder {
  return createPciDecoder(ids, (number, { classes, subclasses }) => {
    const name = subclasses.get(number);
    if (name !== undefined) return name;
    const pciClass = Math.floor(number / 2 ** 8);
    return classes.has(pciClass)
      ? `unknown pci subclass: ${hex(number % 2 ** 8, 2)} (class ${hex(pciClass, 2)})`
      : `unknown pci class: ${hex(pciClass, 2)}`;
  });
}
