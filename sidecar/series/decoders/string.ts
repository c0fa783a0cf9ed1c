import { asBytes, asText, type Decoder } from './decoder.ts';

/** A string of the kernel: up to the first NUL, or all of it. */
export function createString(): Decoder {
  return (input) => {
    const bytes = asBytes(input);
    const end = bytes.indexOf(0);
    return asText(end < 0 ? bytes : bytes.subarray(0, end));
  };
}
