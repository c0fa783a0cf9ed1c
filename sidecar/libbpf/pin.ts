import { BpfError } from './error.ts';
import { libbpf } from './native.ts';

/** Keeps a map, program or link alive under a name in a bpffs. `fd` is the object's. */
export function pin(fd: number, path: string): void {
  const result = libbpf.bpf_obj_pin(fd, path);
  if (result < 0) throw new BpfError(`${path} cannot be pinned`, -result, '');
}

/** Opens what is pinned; the caller closes the file descriptor. */
export function openPinned(path: string): number {
  const result = libbpf.bpf_obj_get(path);
  if (result < 0) throw new BpfError(`${path} cannot be opened`, -result, '');
  return result;
}
