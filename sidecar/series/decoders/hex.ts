import { asBytes, type Decoder } from './decoder.ts';

/** Bytes into hexadecimal digits, in the order they lie in the key. */
export function createHex(): Decoder {
  return (input) => asBytes(input).toString('hex');
}
