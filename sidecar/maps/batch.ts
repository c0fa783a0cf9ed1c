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
}

/**
 * A reader of a whole map by batches: two or three system calls however many entries there are. Its buffers
 * grow with the map and are used again by the next read. Hash tables are read bucket by bucket, so that no key comes
 * twice however the map changes meanwhile.
 */
export function readByBatch({ fd, keySize, valueSize, copies, maxEntries }: MapShape): () => MapEntries {
  const stride = copies * valueSize;
  const position = Buffer.alloc(Math.max(minPositionSize, keySize));
  // One more than there can be, so that the first batch of a small map already finds its end.
  let capacity = Math.min(initialCapacity, maxEntries + 1);
  let keys = Buffer.alloc(capacity * keySize);
  let values = Buffer.alloc(capacity * stride);

  function grow(): void {
    capacity *= 2;
    keys = Buffer.concat([keys], capacity * keySize);
    values = Buffer.concat([values], capacity * stride);
  }

  return () => {
    let count = 0;
    for (let first = true; ; first = false) {
      const batch = lookupBatch(
        fd,
        first ? null : position,
        position,
        keys.subarray(count * keySize),
        values.subarray(count * stride),
        capacity - count,
      );
      count += batch.count;
      if (batch.end === 'done') break;
      if (count === capacity || batch.end === 'bucket-too-large') grow();
    }
    return { count, keys, values, keySize, valueSize, copies };
  };
}
