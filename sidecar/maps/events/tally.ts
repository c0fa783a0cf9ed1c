import type { MapEntries } from '../entries.ts';

/** Distinct events that are kept apart; the series of a family are bounded too. */
const maxKeys = 10_000;
const initialCapacity = 64;
const countSize = 8;

/** How often each event came, as if a program had counted them in a map: its bytes are the key. */
export interface Tally {
  /** Counts what is in a buffer from `start` to `end`; only the first `keySize` bytes tell events apart. */
  add(buffer: Buffer, start: number, end: number): void;
  read(): MapEntries;
  /** Events that are not in the entries: too short, or one more kind than there is room for. */
  dropped(): number;
}

/** `forgetAfter` milliseconds without a further event of its kind an entry goes; undefined keeps it for good. */
export function createTally(
  keySize: number,
  forgetAfter: number | undefined,
  now = performance.now.bind(performance),
): Tally {
  const counts = new Map<string, { count: number; seen: number; last: number }>();
  let dropped = 0;
  let keys = Buffer.alloc(initialCapacity * keySize);
  let values = Buffer.alloc(initialCapacity * countSize);

  function forget(): void {
    if (forgetAfter === undefined) return;
    const time = now();
    for (const [key, entry] of counts) {
      if (entry.seen !== entry.count) {
        entry.seen = entry.count;
        entry.last = time;
      } else if (time - entry.last > forgetAfter) counts.delete(key);
    }
  }

  return {
    add(buffer, start, end) {
      if (end - start < keySize) {
        dropped++;
        return;
      }
      const key = buffer.toString('latin1', start, start + keySize);
      const entry = counts.get(key);
      if (entry !== undefined) entry.count++;
      else if (counts.size < maxKeys) counts.set(key, { count: 1, seen: 0, last: 0 });
      else dropped++;
    },
    read() {
      forget();
      while (keys.length < counts.size * keySize) {
        keys = Buffer.alloc(2 * keys.length);
        values = Buffer.alloc(2 * values.length);
      }
      let index = 0;
      for (const [key, { count }] of counts) {
        keys.write(key, index * keySize, 'latin1');
        values.writeUInt32LE(count % 2 ** 32, index * countSize);
        values.writeUInt32LE(Math.floor(count / 2 ** 32), index * countSize + 4);
        index++;
      }
      return { count: index, keys, values, keySize, valueSize: countSize, copies: 1 };
    },
    dropped: () => dropped,
  };
}
