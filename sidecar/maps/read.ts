import { BpfError } from '../libbpf/error.ts';
import { possibleCpus } from '../libbpf/map.ts';
import { type BpfMap, mapFd } from '../libbpf/object.ts';
import { MapType } from '../libbpf/types.ts';
import { type MapShape, readByBatch } from './batch.ts';
import { cgroupIdSize, isCgroupStorage, readCgroupStorage, type StorageCgroup } from './cgroup-storage.ts';
import type { MapEntries } from './entries.ts';
import { innerOf, isNested, readNested } from './nested.ts';
import { readByWalk } from './walk.ts';

const perCpu: readonly number[] = [
  MapType.percpuHash,
  MapType.percpuArray,
  MapType.lruPercpuHash,
  MapType.percpuCgroupStorage,
];
const readable: readonly number[] = [
  MapType.hash,
  MapType.array,
  MapType.percpuHash,
  MapType.percpuArray,
  MapType.lruHash,
  MapType.lruPercpuHash,
  MapType.lpmTrie,
  MapType.cgroupStorage,
  MapType.percpuCgroupStorage,
  MapType.cgrpStorage,
];

const fillable: readonly number[] = [
  MapType.hash,
  MapType.percpuHash,
  MapType.lruHash,
  MapType.lruPercpuHash,
  MapType.lpmTrie,
];

/** Whether the values of a map of that type are kept per CPU. */
export function isPerCpuMap(type: number): boolean {
  return perCpu.includes(type);
}

/** Whether createMapReader can read a map of that type. */
export function isReadableMap(type: number): boolean {
  return readable.includes(type);
}

/** What the kernel says where it has no batches for a map. */
const noBatches = ['EINVAL', 'ENOTSUPP', 'EOPNOTSUPP'];

/** Whether a map holds only what was put into it, and can be full. */
export function canFill(map: BpfMap): boolean {
  return fillable.includes(map.type);
}

/** Bytes of a key and of a value as the reader gives them. */
export function sizesOf(map: BpfMap): { keySize: number; valueSize: number } {
  if (isCgroupStorage(map)) return { keySize: cgroupIdSize, valueSize: map.valueSize };
  if (!isNested(map)) return { keySize: map.keySize, valueSize: map.valueSize };
  const inner = innerOf(map);
  return { keySize: map.keySize + inner.keySize, valueSize: inner.valueSize };
}

/**
 * A reader of a whole map, its buffers used again by the next read. `cgroups` are those whose entries a cgroup storage is
 * asked for, see readCgroupStorage. Throws when the map's type cannot be read.
 */
export function createMapReader(
  map: BpfMap,
  cgroups: () => Iterable<StorageCgroup> = () => [],
): () => MapEntries {
  if (isCgroupStorage(map)) return readCgroupStorage(map, cgroups);
  if (isNested(map)) return readNested(map, (inner, fd) => readShape(shapeOf(inner, fd)));
  return readShape(shapeOf(map, mapFd(map)));
}

/** Throws when the map's type cannot be read. */
function shapeOf(map: BpfMap, fd: number): MapShape {
  if (!isReadableMap(map.type))
    throw new Error(`map ${map.name} is of type ${map.type}, which cannot be read into series`);
  const { keySize, valueSize, maxEntries } = map;
  const restarts = map.type === MapType.lpmTrie;
  if (!isPerCpuMap(map.type)) return { fd, keySize, valueSize, copies: 1, maxEntries, restarts };
  // The kernel pads each copy of a per-CPU value to 8 bytes.
  return { fd, keySize, valueSize: (valueSize + 7) & ~7, copies: possibleCpus(), maxEntries };
}

/** By batches; where the kernel has none for the map, key by key from then on. */
function readShape(shape: MapShape): () => MapEntries {
  let read = readByBatch(shape);
  let tried = false;
  return () => {
    if (tried) return read();
    tried = true;
    try {
      return read();
    } catch (error) {
      if (!(error instanceof BpfError && noBatches.includes(error.code))) throw error;
      read = readByWalk(shape);
      return read();
    }
  };
}
