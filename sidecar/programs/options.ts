import { isIPv4 } from 'node:net';
import type { OptionValue } from '../contract/probe-options.ts';
import { updateElement } from '../libbpf/map.ts';
import { type BpfObject, findMap, mapFd, setConstants } from '../libbpf/object.ts';

type Options = Readonly<Record<string, OptionValue>>;

const present = Buffer.from([1]);
/** IPv4 addresses are in the trie as IPv6 has them, ::ffff:192.0.2.1 (RFC 4291, section 2.5.5.2). */
const mappedBits = 96;

/** Sets the numbers among a probe's options, and how many networks there are, before its object is loaded. */
export function setOptions(object: BpfObject, options: Options): void {
  for (const [name, value] of Object.entries(options))
    setConstants(
      object,
      typeof value === 'number' ? { [`option_${name}`]: value } : { [`option_${name}_count`]: value.length },
    );
}

/** Puts the networks among a probe's options into its tries, before its programs are attached. */
export function fillOptions(object: BpfObject, options: Options): void {
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === 'number') continue;
    const trie = mapFd(findMap(object, `option_${name}`));
    for (const network of value) updateElement(trie, trieKey(network), present);
  }
}

/** struct { __u32 prefix length; __u8 address[16]; } of `192.0.2.0/24` or `2001:db8::/32`. */
export function trieKey(network: string): Buffer {
  const [address = '', bits] = network.split('/');
  const key = Buffer.alloc(20);
  key.writeUInt32LE(Number(bits) + (isIPv4(address) ? mappedBits : 0));
  addressBytes(address).copy(key, 4);
  return key;
}

/** The 16 bytes of an address that is valid. */
function addressBytes(address: string): Buffer {
  // The parser of URLs writes every IPv6 address in the one short form, without dots.
  const text = isIPv4(address) ? `::ffff:${address}` : address;
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const [front, back] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0');
  return Buffer.from([...front, ...zeros, ...back].map((group) => group.padStart(4, '0')).join(''), 'hex');
}
