import { asText, type Decoder } from './decoder.ts';
import type { PciIds } from './pci-ids.ts';

/** A decoder of a number, as text (put `uint` before), with the PCI ID database; says so where there is none. */
export function createPciDecoder(
  ids: () => PciIds | undefined,
  decode: (number: number, ids: PciIds) => string,
): Decoder {
  return (input) => {
    const known = ids();
    return known === undefined ? 'missing pci.ids db' : decode(Number(asText(input)), known);
  };
}

/** As the database writes numbers, with `0x` before. */
export function hex(number: number, digits: number): string {
  return `0x${number.toString(16).padStart(digits, '0')}`;
}
