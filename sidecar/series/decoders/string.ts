import { asBytes, asText, type Decoder, untilNul } from './decoder.ts';

/** A string of the kernel: up to the first NUL, or all of it. */
export function createString(): Decoder {
  return (input) => asText(untilNul(asBytes(input)));
}
