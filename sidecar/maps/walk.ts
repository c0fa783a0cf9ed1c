import { lookupInto, nextKey } from '../libbpf/map.ts';
import type { MapShape } from './batch.ts';
import type { MapEntries } from './entries.ts';

/** Steps for each entry that there can be: a map that is being emptied sends the walk back to its start. */
const maxRounds = 2;

/**
 * A reader of a whole map key by key, for maps and kernels without batches: two system calls for each entry. Where
 * the kernel sends it back because a key has gone, keys that it has had are passed over. A map that changes faster
 * than it can be read is read in part.
 */
export function readByWalk({ fd, keySize, valueSize, copies, maxEntries }: MapShape): () => MapEntries {
  const stride = copies * valueSize;
  let keys = Buffer.alloc(keySize);
  let values = Buffer.alloc(stride);
  const key = Buffer.alloc(keySize);
  const value = Buffer.alloc(stride);

  return () => {
    const seen = new Set<string>();
    let count = 0;
    let steps = maxRounds * (maxEntries + 1);
    for (let found = nextKey(fd, null, key); found && steps > 0; found = nextKey(fd, key, key), steps--) {
      const name = key.toString('latin1');
      if (seen.has(name) || !lookupInto(fd, key, value)) continue;
      seen.add(name);
      if (keys.length === count * keySize) {
        keys = Buffer.concat([keys], 2 * keys.length);
        values = Buffer.concat([values], 2 * values.length);
      }
      key.copy(keys, count * keySize);
      value.copy(values, count * stride);
      count++;
    }
    return { count, keys, values, keySize, valueSize, copies };
  };
}
