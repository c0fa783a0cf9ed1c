import { lookupElement } from '../libbpf/map.ts';
import { closeObject, findMap, loadObject, mapFd, openObject } from '../libbpf/object.ts';
import { runProgram } from '../libbpf/run.ts';
import { readObject } from '../objects.ts';

/**
 * The cgroup ids from the root of the hierarchy, level 0, down to this process, as the kernel has them:
 * right also in a cgroup namespace of our own and where the mounted hierarchy is only a part of it.
 * Throws a BpfError where eBPF is not permitted.
 */
export function readAncestors(): bigint[] {
  const object = openObject('ancestors', readObject('pod/ancestors'));
  try {
    loadObject(object);
    runProgram(object.programs[0]!);
    const map = findMap(object, 'ancestors');
    const ids = lookupElement(mapFd(map), Buffer.alloc(map.keySize), map.valueSize);
    return Array.from({ length: ids.length / 8 }, (_, i) => ids.readBigUInt64LE(8 * i)).filter(
      (id) => id !== 0n,
    );
  } finally {
    closeObject(object);
  }
}
