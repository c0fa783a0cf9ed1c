import { asBytes, type Decoder } from './decoder.ts';

/** A signed integer of 1, 2, 4 or 8 bytes into decimal digits. */
export function createInt(): Decoder {
  return (input) => {
    const bytes = asBytes(input);
    return String(bytes.length === 8 ? bytes.readBigInt64LE() : bytes.readIntLE(0, bytes.length));
  };
}
