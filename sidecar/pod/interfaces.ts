import { readMemory, readString } from '../libbpf/memory.ts';
import { libc } from '../libbpf/native.ts';

/** A network interface. */
export interface Interface {
  index: number;
  name: string;
}

/** struct if_nameindex: an int, and a pointer to the name. */
const entrySize = 16;

/** The interfaces of the network namespace that the containers of the pod share (if_nameindex(3)). */
export function interfaces(): Interface[] {
  const list = libc.if_nameindex();
  if (list === 0) return [];
  const found: Interface[] = [];
  for (let at = list; ; at += entrySize) {
    const entry = readMemory(at, entrySize);
    const index = entry.readUInt32LE(0);
    if (index === 0) break;
    found.push({ index, name: readString(Number(entry.readBigUInt64LE(8))) });
  }
  libc.if_freenameindex(list);
  return found;
}
