import ref from '@2060.io/ref-napi';
import type { Pointer } from './native.ts';

/** `length` bytes of C memory at an address, not copied: valid only as long as its owner keeps them. */
export function bytesAt(pointer: Pointer, length: number): Buffer {
  const address = Buffer.alloc(8);
  address.writeBigUInt64LE(BigInt(pointer));
  return ref.readPointer(address, 0, length);
}

/** The address of a buffer's first byte. The caller keeps the buffer alive as long as C may use it. */
export function addressOf(buffer: Buffer): bigint {
  return BigInt(ref.address(buffer));
}
