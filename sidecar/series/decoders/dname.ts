import { asBytes, asText, type Decoder, untilNul } from './decoder.ts';

const maxLabelLength = 63;

/**
 * A domain name in the wire format of RFC 1035, section 3.1, into its labels with dots between; the root is
 * `.`. Text that is no such name stays as it is.
 */
export function createDname(): Decoder {
  return (input) => {
    const name = untilNul(asBytes(input));
    const labels: string[] = [];
    let end = 0;
    for (let start = 1; start <= name.length; start = end + 1) {
      const length = name[start - 1]!;
      end = start + length;
      if (length > maxLabelLength || end > name.length) return asText(name);
      labels.push(asText(name.subarray(start, end)));
    }
    return labels.join('.') || '.';
  };
}
