import type { MapEntries } from '../../../sidecar/maps/entries.ts';

/** What a batch read of a map with these entries gives. The values of a per-CPU map come one per CPU. */
export function mapEntries(
  entries: [key: Buffer, ...values: Buffer[]][],
  keySize: number,
  valueSize: number,
): MapEntries {
  return {
    count: entries.length,
    // Longer than the entries, as a reader's buffers are.
    keys: Buffer.concat([...entries.map(([key]) => key), Buffer.alloc(keySize, 0xff)]),
    values: Buffer.concat([...entries.flatMap(([, ...values]) => values), Buffer.alloc(valueSize, 0xff)]),
    keySize,
    valueSize,
    copies: entries[0] === undefined ? 1 : entries[0].length - 1,
  };
}

export function u64(...words: (number | bigint)[]): Buffer {
  return Buffer.from(BigUint64Array.from(words, BigInt).buffer);
}

export function u32(...words: number[]): Buffer {
  return Buffer.from(Uint32Array.from(words).buffer);
}
