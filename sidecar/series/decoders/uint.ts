import { asBytes, type Decoder } from './decoder.ts';

/** An unsigned integer of 1, 2, 4 or 8 bytes into decimal digits. */
export function createUint(): Decoder {
  return (input) => {
    const bytes = asBytes(input);
    switch (bytes.length) {
      case 1:
        return String(bytes.readUInt8());
      case 2:
        return String(bytes.readUInt16LE());
      case 4:
        return String(bytes.readUInt32LE());
      default:
        return String(bytes.readBigUInt64LE());
    }
  };
}
