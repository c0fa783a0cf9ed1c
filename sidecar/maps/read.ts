import { lookupBatch, possibleCpus } from '../libbpf/map.ts';
import { type BpfMap, mapFd } from '../libbpf/object.ts';
import { MapType } from '../libbpf/types.ts';
import type { MapEntries } from './entries.ts';

const perCpu: readonly number[] = [MapType.percpuHash, MapType.percpuArray, MapType.lruPercpuHash];
const readable: readonly number[] = Object.values(MapType);

const initialCapacity = 64;
/** The kernel's opaque position in a hash is 4 bytes, in an array a key. */
const positionSize = 16;

/**
 * A reader of a whole map by batches: two or three system calls however many entries there are. Its buffers
 * grow with the map and are used again by the next read. Throws when the map's type cannot be read.
 */
export function createMapReader(map: BpfMap): () => MapEntries {
  if (!readable.includes(map.type))
    throw new Error(`map ${map.name} is of type ${map.type}, which cannot be read into series`);
  const fd = mapFd(map);
  const isPerCpu = perCpu.includes(map.type);
  const copies = isPerCpu ? possibleCpus() : 1;
  // The kernel pads each copy of a per-CPU value to 8 bytes.
  const valueSize = isPerCpu ? roundUp8(map.valueSize) : map.valueSize;
  const valueStride = copies * valueSize;
  const position = Buffer.alloc(positionSize);
  // One more than there can be, so that the first batch of a small map already finds its end.
  let capacity = Math.min(initialCapacity, map.maxEntries + 1);
  let keys = Buffer.alloc(capacity * map.keySize);
  let values = Buffer.alloc(capacity * valueStride);

  function grow(): void {
    capacity *= 2;
    keys = Buffer.concat([keys], capacity * map.keySize);
    values = Buffer.concat([values], capacity * valueStride);
  }

  return () => {
    let count = 0;
    for (let first = true; ; first = false) {
      const batch = lookupBatch(
        fd,
        first ? null : position,
        position,
        keys.subarray(count * map.keySize),
        values.subarray(count * valueStride),
        capacity - count,
      );
      count += batch.count;
      if (batch.end === 'done') break;
      if (count === capacity || batch.end === 'bucket-too-large') grow();
    }
    return { count, keys, values, keySize: map.keySize, valueSize, copies };
  };
}

function roundUp8(size: number): number {
  return (size + 7) & ~7;
}
