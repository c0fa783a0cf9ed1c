import { closeSync, openSync } from 'node:fs';
import { lookupInto } from '../libbpf/map.ts';
import { type BpfMap, mapFd } from '../libbpf/object.ts';
import { MapType } from '../libbpf/types.ts';
import type { MapEntries } from './entries.ts';

/** Bytes of a cgroup's id, the key as it is given out. The kernel's own key is a descriptor of the cgroup's directory. */
export const cgroupIdSize = 8;

/** A cgroup whose storage is looked up. */
export interface StorageCgroup {
  path: string;
  id: bigint;
}

/** Whether the values of a map are kept with cgroups, and found by descriptors of these alone. */
export function isCgroupStorage(map: BpfMap): boolean {
  return map.type === MapType.cgrpStorage;
}

/**
 * A reader of a BPF_MAP_TYPE_CGRP_STORAGE (Linux 6.2): one look-up for each of the cgroups that there are at a read. What
 * is kept with a cgroup goes with it.
 */
export function readCgroupStorage(map: BpfMap, cgroups: () => Iterable<StorageCgroup>): () => MapEntries {
  const { valueSize } = map;
  let keys = Buffer.alloc(0);
  let values = Buffer.alloc(0);
  return () => {
    const all = [...cgroups()];
    if (keys.length < all.length * cgroupIdSize) {
      keys = Buffer.alloc(all.length * cgroupIdSize);
      values = Buffer.alloc(all.length * valueSize);
    }
    let count = 0;
    for (const { id, path } of all) {
      if (!lookup(mapFd(map), path, values.subarray(count * valueSize, (count + 1) * valueSize))) continue;
      keys.writeBigUInt64LE(id, count * cgroupIdSize);
      count++;
    }
    return { count, keys, values, keySize: cgroupIdSize, valueSize, copies: 1 };
  };
}

/** Not when it has none, or has just gone. */
function lookup(fd: number, path: string, value: Buffer): boolean {
  let cgroup: number;
  try {
    cgroup = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    const key = Buffer.alloc(4);
    key.writeInt32LE(cgroup);
    return lookupInto(fd, key, value);
  } finally {
    closeSync(cgroup);
  }
}
