import { BpfError } from './error.ts';
import { libbpf } from './native.ts';

const ENOENT = 2;
const EINTR = 4;
const EINVAL = 22;
const ENOSPC = 28;
/** Not one of errno(3): the kernel gives it to user space all the same. */
const ENOTSUPP = 524;

/** `fd` is a map's, from mapFd. Throws a BpfError. */
export function updateElement(fd: number, key: Buffer, value: Buffer): void {
  const result = libbpf.bpf_map_update_elem(fd, key, value, 0);
  if (result < 0) throw new BpfError('a map cannot be updated', -result, '');
}

/** Removes an entry; it is no error when there is none. Throws a BpfError. */
export function deleteElement(fd: number, key: Buffer): void {
  const result = libbpf.bpf_map_delete_elem(fd, key);
  if (result < 0 && result !== -ENOENT) throw new BpfError('a map element cannot be removed', -result, '');
}

/** Writes the key after `key`, or the first one for null, to `next`, which may be the same buffer. Whether there is one. */
export function nextKey(fd: number, key: Buffer | null, next: Buffer): boolean {
  const result = libbpf.bpf_map_get_next_key(fd, key, next);
  if (result < 0 && result !== -ENOENT) throw new BpfError('a map cannot be read', -result, '');
  return result === 0;
}

/** Copies the value of a key, all copies of it, to `value`. Whether there is one. */
export function lookupInto(fd: number, key: Buffer, value: Buffer): boolean {
  return libbpf.bpf_map_lookup_elem(fd, key, value) === 0;
}

/** Opens a map by the kernel's id, which needs CAP_SYS_ADMIN; undefined when it has gone. The caller closes it. */
export function openMapById(id: number): number | undefined {
  const fd = libbpf.bpf_map_get_fd_by_id(id);
  if (fd === -ENOENT) return undefined;
  if (fd < 0) throw new BpfError('an inner map cannot be opened', -fd, '');
  return fd;
}

/**
 * Reads an entry of a hash and removes it; undefined when there is none. `stride` is the bytes of all copies of the
 * value. Kernels before 5.14 cannot do both at once for hashes: what comes in between is lost there.
 */
export function takeElement(fd: number, key: Buffer, stride: number): Buffer | undefined {
  const value = Buffer.alloc(stride);
  const result = libbpf.bpf_map_lookup_and_delete_elem(fd, key, value);
  if (result === 0) return value;
  if (result === -ENOENT) return undefined;
  if (result !== -ENOTSUPP && result !== -EINVAL)
    throw new BpfError('a map element cannot be taken', -result, '');
  if (libbpf.bpf_map_lookup_elem(fd, key, value) < 0) return undefined;
  deleteElement(fd, key);
  return value;
}

/** How a batch ended: the whole map was read, there may be more, or a hash bucket is larger than the batch. */
export type BatchEnd = 'done' | 'more' | 'bucket-too-large';

/**
 * BPF_MAP_LOOKUP_BATCH: fills `keys` and `values` with up to `count` entries, beginning after `position`
 * (null at first), and writes to `next` where to go on. `next` may be the same buffer as `position`.
 */
export function lookupBatch(
  fd: number,
  position: Buffer | null,
  next: Buffer,
  keys: Buffer,
  values: Buffer,
  count: number,
): { end: BatchEnd; count: number } {
  const inOut = Buffer.alloc(4);
  inOut.writeUInt32LE(count);
  const result = libbpf.bpf_map_lookup_batch(fd, position, next, keys, values, inOut, null);
  if (result === -ENOSPC) return { end: 'bucket-too-large', count: 0 };
  // Older kernels give up with EINTR where entries go as fast as they are looked up; what came before is there.
  if (result < 0 && result !== -ENOENT && result !== -EINTR)
    throw new BpfError('a map cannot be read', -result, '');
  return { end: result === -ENOENT ? 'done' : 'more', count: inOut.readUInt32LE() };
}

/** Number of value copies that a per-CPU map's lookup returns. */
export function possibleCpus(): number {
  return libbpf.libbpf_num_possible_cpus();
}

/** The value of a key of a map that is not per-CPU. Throws a BpfError, ENOENT when there is none. */
export function lookupElement(fd: number, key: Buffer, valueSize: number): Buffer {
  const value = Buffer.alloc(valueSize);
  const result = libbpf.bpf_map_lookup_elem(fd, key, value);
  if (result < 0) throw new BpfError('a map element cannot be read', -result, '');
  return value;
}
