import { asBytes, type Decoder } from './decoder.ts';

/**
 * An address in network byte order: 4 bytes as IPv4, 16 as IPv6 (RFC 5952), but an IPv4-mapped address as
 * IPv4.
 */
export function createInetIp(): Decoder {
  return (input) => {
    const bytes = asBytes(input);
    if (bytes.length === 4) return bytes.join('.');
    return isMapped(bytes) ? bytes.subarray(12).join('.') : ipv6(bytes);
  };
}

function isMapped(bytes: Buffer): boolean {
  return bytes.readUInt16BE(10) === 0xffff && bytes.subarray(0, 10).every((byte) => byte === 0);
}

function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index));
  const { start, length } = longestZeros(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** The first of the longest runs of zero groups. */
function longestZeros(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  });
  return best;
}
