import { readdirSync, readFileSync } from 'node:fs';
import { asBytes, type Decoder } from './decoder.ts';

const interfaces = '/sys/class/net';
const cacheSize = 1024;

/** A u32 interface index into the name it has in the sidecar's network namespace; else `unknown:N`. */
export function createIfname(): Decoder {
  const names = new Map<number, string>();
  return (input) => {
    const index = asBytes(input).readUInt32LE();
    let name = names.get(index);
    if (name === undefined) {
      // The kernel gives an index to one interface only, so an answer, known or unknown, stays true.
      name = findInterface(index) ?? `unknown:${index}`;
      if (names.size >= cacheSize) names.clear();
      names.set(index, name);
    }
    return name;
  };
}

function findInterface(index: number): string | undefined {
  return readdirSync(interfaces).find((name) => interfaceIndex(name) === index);
}

function interfaceIndex(name: string): number | undefined {
  try {
    return Number(readFileSync(`${interfaces}/${name}/ifindex`, 'utf8'));
  } catch {
    // The interface went away meanwhile, or is a file such as bonding_masters.
    return undefined;
  }
}
