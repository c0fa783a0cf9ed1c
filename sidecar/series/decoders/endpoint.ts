import { asBytes, type Decoder } from './decoder.ts';
import { createInetIp } from './inet-ip.ts';

/** AF_INET and AF_INET6 of Linux. */
const addressSizes = new Map([
  [2, 4],
  [10, 16],
]);
/** Bytes before the address. */
const head = 4;

/** A `struct endpoint` of bpf/include/endpoint.bpf.h; empty where it is of no family that has addresses. */
export function createEndpoint(): Decoder {
  const readAddress = createInetIp();
  return (input) => {
    const bytes = asBytes(input);
    const size = addressSizes.get(bytes.readUInt16LE(0));
    if (size === undefined) return '';
    const address = readAddress(bytes.subarray(head, head + size))!;
    const port = bytes.readUInt16BE(2);
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  };
}
