import { interfaces } from '../../pod/interfaces.ts';
import { asBytes, type Decoder } from './decoder.ts';

const cacheSize = 1024;

/** A u32 interface index into the name it has in the sidecar's network namespace; else `unknown:N`. */
export function createIfname(): Decoder {
  const names = new Map<number, string>();
  return (input) => {
    const index = asBytes(input).readUInt32LE();
    let name = names.get(index);
    if (name === undefined) {
      // The kernel gives an index to one interface only, so an answer, known or unknown, stays true.
      name = interfaces().find((candidate) => candidate.index === index)?.name ?? `unknown:${index}`;
      if (names.size >= cacheSize) names.clear();
      names.set(index, name);
    }
    return name;
  };
}
