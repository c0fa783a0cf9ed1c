/** Writing Protocol Buffers (https://protobuf.dev/programming-guides/encoding/), as far as a profile needs it. */

/** Values of a field of the number: zero and empty are left out, as the default that they are. */
export type Field = readonly [number: number, value: number | bigint | Buffer | readonly number[]];

const [varintType, bytesType] = [0, 2];

/** A message of these fields, in their order. A list is written packed; a Buffer is text or a message. */
export function message(fields: Iterable<Field>): Buffer {
  const bytes: number[] = [];
  const parts: Buffer[] = [];
  const flush = () => parts.push(Buffer.from(bytes.splice(0)));
  for (const [number, value] of fields) {
    if (typeof value === 'number' || typeof value === 'bigint') {
      if (BigInt(value) === 0n) continue;
      varint(bytes, (number << 3) | varintType);
      varint(bytes, value);
      continue;
    }
    const content = Buffer.isBuffer(value) ? value : packed(value);
    varint(bytes, (number << 3) | bytesType);
    varint(bytes, content.length);
    flush();
    parts.push(content);
  }
  flush();
  return Buffer.concat(parts);
}

function packed(values: readonly number[]): Buffer {
  const bytes: number[] = [];
  for (const value of values) varint(bytes, value);
  return Buffer.from(bytes);
}

/** Seven bits at a time, the lowest first; a negative number as the 64 bits that it has. */
function varint(bytes: number[], value: number | bigint): void {
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
}
