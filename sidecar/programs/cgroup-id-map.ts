import { closeSync, openSync } from 'node:fs';
import type { CgroupIdMap } from '../contract/metric-spec.ts';
import { compileRegexp } from '../contract/regexp.ts';
import { deleteElement, updateElement } from '../libbpf/map.ts';
import { type BpfObject, findMap, mapFd } from '../libbpf/object.ts';
import type { ContainerCgroup } from '../pod/containers.ts';

/** Bytes of a cgroup's id, and of the file descriptor by which cgroup storage is written. */
const keySizes = { hash: 8, cgrp_storage: 4 } as const;
const valueSize = 8;

/**
 * Keeps the map of a loaded object that tells its programs which cgroups to count: those of the pod's containers
 * whose path or container name matches one of the expressions. Each call of the result brings it up to date.
 * Throws an Error of one sentence when the map is not fit for it.
 */
export function createCgroupIdMap(
  object: BpfObject,
  { map: name, type, regexps }: CgroupIdMap,
): (cgroups: Iterable<ContainerCgroup>) => void {
  const map = findMap(object, name);
  if (map.keySize !== keySizes[type] || map.valueSize !== valueSize)
    throw new Error(
      `cgroup_id_map: map "${name}" must have a key of ${keySizes[type]} and a value of ${valueSize} bytes for type ${type}, not ${map.keySize} and ${map.valueSize}`,
    );
  const expressions = regexps.map(compileRegexp);
  const inMap = new Set<bigint>();
  const fd = mapFd(map);

  return (cgroups) => {
    const gone = new Set(inMap);
    for (const { id, path, name: container } of cgroups) {
      gone.delete(id);
      if (inMap.has(id) || !expressions.some(({ finds }) => finds(path) || finds(container))) continue;
      if (type === 'hash') updateElement(fd, u64(id), u64(1n));
      else updateStorage(fd, path);
      inMap.add(id);
    }
    for (const id of gone) {
      // Cgroup storage goes with its cgroup.
      if (type === 'hash') deleteElement(fd, u64(id));
      inMap.delete(id);
    }
  };
}

function updateStorage(fd: number, path: string): void {
  const cgroup = openSync(path, 'r');
  try {
    const key = Buffer.alloc(keySizes.cgrp_storage);
    key.writeInt32LE(cgroup);
    updateElement(fd, key, u64(1n));
  } finally {
    closeSync(cgroup);
  }
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
