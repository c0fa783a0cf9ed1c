import { lookupInto } from '../libbpf/map.ts';
import { type BpfMap, mapFd } from '../libbpf/object.ts';
import { MapType } from '../libbpf/types.ts';

/** Reads a BPF_MAP_TYPE_STACK_TRACE: the addresses of a stack by its number, undefined where there is none. */
export function createStackReader(map: BpfMap): (id: number) => Buffer | undefined {
  if (map.type !== MapType.stackTrace)
    throw new Error(`map ${map.name} has no stacks: it is of type ${map.type}`);
  const key = Buffer.alloc(map.keySize);
  const stack = Buffer.alloc(map.valueSize);
  return (id) => {
    if (id < 0) return undefined;
    key.writeInt32LE(id);
    return lookupInto(mapFd(map), key, stack) ? stack : undefined;
  };
}
