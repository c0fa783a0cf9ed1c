import { readFileSync } from 'node:fs';
import type { Pointer } from './call.ts';
import { libc, toMemory } from './native.ts';

const maxString = 4096;
const RLIMIT_AS = 9;

/** A copy of C memory. */
export function readMemory(pointer: Pointer, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (length > 0) libc.memcpy(bytes, pointer, length);
  return bytes;
}

/** Copies bytes to C memory. */
export function writeMemory(pointer: Pointer, bytes: Buffer): void {
  toMemory.memcpy(pointer, bytes, bytes.length);
}

/** A C string, of which at most 4,096 bytes; empty for NULL. */
export function readString(pointer: Pointer): string {
  return pointer === 0 ? '' : readMemory(pointer, libc.strnlen(pointer, maxString)).toString();
}

/** Of the last call into C on this thread, where it returned a failure. */
export function errno(): number {
  return readMemory(libc.__errno_location(), 4).readInt32LE();
}

/** Lets this process have no more address space than it has now and `bytes` more: who asks for that gets ENOMEM. */
export function limitAddressSpace(bytes: number): void {
  const [, kilobytes] = /^VmSize:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))!;
  const limit = BigInt(kilobytes!) * 1024n + BigInt(bytes);
  // struct rlimit: the soft limit, the hard limit.
  const limits = Buffer.alloc(16);
  limits.writeBigUInt64LE(limit, 0);
  limits.writeBigUInt64LE(limit, 8);
  libc.setrlimit(RLIMIT_AS, limits);
}
