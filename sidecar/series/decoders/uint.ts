import type { DecoderSpec } from '../../contract/label-spec.ts';
import { asBytes, type Decoder } from './decoder.ts';

type UintSpec = Extract<DecoderSpec, { name: 'uint' }>;

/** An unsigned integer of 1, 2, 4 or 8 bytes into decimal digits, at least `digits` of them. */
export function createUint({ digits = 1 }: UintSpec): Decoder {
  return (input) => {
    const bytes = asBytes(input);
    const number = bytes.length === 8 ? bytes.readBigUInt64LE() : bytes.readUIntLE(0, bytes.length);
    return String(number).padStart(digits, '0');
  };
}
