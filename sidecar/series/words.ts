/**
 * Numbers in a buffer of a map, in host byte order. Above 2^53 they are the nearest double. getInt32 is what V8 compiles to
 * a load; getUint32 it calls.
 */

export function readU64(view: DataView, offset: number): number {
  return (view.getInt32(offset, true) >>> 0) + (view.getInt32(offset + 4, true) >>> 0) * 2 ** 32;
}

/** A signed integer of 1, 2, 4 or 8 bytes. */
export function readInt(view: DataView, offset: number, size: number): number {
  if (size === 8) return (view.getInt32(offset, true) >>> 0) + view.getInt32(offset + 4, true) * 2 ** 32;
  if (size === 4) return view.getInt32(offset, true);
  return size === 2 ? view.getInt16(offset, true) : view.getInt8(offset);
}

/** An unsigned integer of 1, 2, 4 or 8 bytes. */
export function readUint(view: DataView, offset: number, size: number): number {
  if (size === 8) return readU64(view, offset);
  if (size === 4) return view.getInt32(offset, true) >>> 0;
  return size === 2 ? view.getUint16(offset, true) : view.getUint8(offset);
}
