import { lookupBatch } from '../libbpf/map.ts';
import type { MapEntries } from './entries.ts';

const initialCapacity = 64;
/** The kernel's opaque position in a hash is 4 bytes, in other maps a key. */
const minPositionSize = 16;

/** What a reader has to know of a map. */
export interface MapShape {
  fd: number;
  keySize: number;
  /** Of one copy, as it lies in memory: padded to 8 bytes in a per-CPU map. */
  valueSize: number;
  copies: number;
  maxEntries: number;
  /** Whether a batch goes from key to key, and starts again at the first one where the last one has gone. */
  restarts?: boolean;
}

/** Entries that are looked at for each that there can be, where reading may start again. */
const maxRounds = 4;

/**
 * A reader of a whole map by batches: two or three system calls however many entries there are. Its buffers
 * grow with the map and are used again by the next read. No key comes twice however the map changes meanwhile: hash
 * tables are read bucket by bucket, arrays by index, and of a map that restarts, what has come before is passed over;
 * one that changes faster than it can be read is read in part.
 */
export function readByBatch({
  fd,
  keySize,
  valueSize,
  copies,
  maxEntries,
  restarts = false,
}: MapShape): () => MapEntries {
  const stride = copies * valueSize;
  const position = Buffer.alloc(Math.max(minPositionSize, keySize));
  // One more than there can be, so that the first batch of a small map already finds its end.
  let capacity = Math.min(initialCapacity, maxEntries + 1);
  let keys = Buffer.alloc(capacity * keySize);
  let values = Buffer.alloc(capacity * stride);

  function grow(): void {
    // No more than there can be; while a hash changes it may seem to have more.
    capacity = capacity <= maxEntries ? Math.min(2 * capacity, maxEntries + 1) : 2 * capacity;
    keys = Buffer.concat([keys], capacity * keySize);
    values = Buffer.concat([values], capacity * stride);
  }

  /** Moves those that are not in `seen` together, and puts them there. How many there are. */
  function keepNew(seen: Set<string>, start: number, end: number): number {
    let kept = start;
    for (let index = start; index < end; index++) {
      const name = keys.toString('latin1', index * keySize, (index + 1) * keySize);
      if (seen.has(name)) continue;
      seen.add(name);
      keys.copyWithin(kept * keySize, index * keySize, (index + 1) * keySize);
      values.copyWithin(kept * stride, index * stride, (index + 1) * stride);
      kept++;
    }
    return kept - start;
  }

  return () => {
    const seen = restarts ? new Set<string>() : undefined;
    let [count, looked] = [0, 0];
    for (let first = true; looked <= maxRounds * maxEntries; ) {
      const batch = lookupBatch(
        fd,
        first ? null : position,
        position,
        keys.subarray(count * keySize),
        values.subarray(count * stride),
        capacity - count,
      );
      // Where nothing was found the kernel tells no position.
      first &&= batch.count === 0;
      if (seen === undefined) count += batch.count;
      else {
        count += keepNew(seen, count, count + batch.count);
        looked += Math.max(1, batch.count);
      }
      if (batch.end === 'done') break;
      if (count === capacity || batch.end === 'bucket-too-large') grow();
    }
    return { count, keys, values, keySize, valueSize, copies };
  };
}
