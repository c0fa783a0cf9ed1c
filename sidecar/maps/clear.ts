import { deleteElement, updateElement } from '../libbpf/map.ts';
import { type BpfMap, mapFd } from '../libbpf/object.ts';
import { canFill, createMapReader, isReadableMap } from './read.ts';

/** What empties a map: its entries go, or become zero where they cannot. Undefined for one that cannot be read. */
export function createClearing(map: BpfMap): (() => void) | undefined {
  if (!isReadableMap(map.type)) return undefined;
  const read = createMapReader(map);
  const fd = mapFd(map);
  return () => {
    const { count, keys, values, keySize, valueSize, copies } = read();
    const stride = valueSize * copies;
    const zero = Buffer.alloc(stride);
    for (let i = 0; i < count; i++) {
      const key = keys.subarray(i * keySize, (i + 1) * keySize);
      if (canFill(map)) deleteElement(fd, key);
      else if (!values.subarray(i * stride, (i + 1) * stride).equals(zero)) updateElement(fd, key, zero);
    }
  };
}
