import ref from '@2060.io/ref-napi';
import { BpfError } from './error.ts';
import { errno } from './memory.ts';
import { libc } from './native.ts';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
/** MAP_FAILED, (void *)-1, as a number. */
const failed = 2 ** 64;

export const pageSize = 4096;

/** Memory that the kernel writes to. The buffer must not be touched after `unmap`. */
export interface Mapped {
  buffer: Buffer;
  unmap(): void;
}

/** Maps a part of a file descriptor, shared. Throws a BpfError. */
export function mapShared(fd: number, length: number, offset: number, writable: boolean): Mapped {
  const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const address = libc.mmap(0, length, protection, MAP_SHARED, fd, offset);
  if (address === failed) throw new BpfError('an event buffer cannot be mapped', errno(), '');
  const pointer = Buffer.alloc(8);
  pointer.writeBigUInt64LE(BigInt(address));
  return {
    buffer: ref.readPointer(pointer, 0, length),
    unmap() {
      libc.munmap(address, length);
    },
  };
}

/** Runs an action on the address at which the first page of an open file is mapped. Throws a BpfError. */
export function withFirstPage<T>(fd: number, action: (address: number) => T): T {
  const address = libc.mmap(0, pageSize, PROT_READ, MAP_PRIVATE, fd, 0);
  if (address === failed) throw new BpfError('a file cannot be mapped', errno(), '');
  try {
    return action(address);
  } finally {
    libc.munmap(address, pageSize);
  }
}
