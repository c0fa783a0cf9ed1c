import { takeElement } from '../libbpf/map.ts';
import { type BpfMap, mapFd } from '../libbpf/object.ts';
import { MapType } from '../libbpf/types.ts';
import type { MapEntries } from './entries.ts';

/** What is known of the cgroups whose ids are in the keys of maps. */
export interface Lifetimes {
  /** Whether the cgroup with this id exists no more. */
  isGone(id: bigint): boolean;
  /** The one id that stands for all cgroups of a container that are gone. */
  departedId(id: bigint): bigint;
}

const removable: readonly number[] = [
  MapType.hash,
  MapType.percpuHash,
  MapType.lruHash,
  MapType.lruPercpuHash,
];

/** Bytes of an id, and of the words that are added up. */
const wordSize = 8;

/** Folded entries of a map; more are left where they are. Each container has as many as it had keys. */
const maxFolded = 10_000;

/**
 * Whether entries of a map can be folded: it lets go of entries, and its values are words, which can be added up
 * whatever they mean.
 */
export function canFold(map: BpfMap): boolean {
  return removable.includes(map.type) && map.valueSize % wordSize === 0;
}

/**
 * A reader that takes the entries of containers that are gone out of the map, so that their space is free again,
 * and gives what they counted all the same: added up over all that went by the same name, behind the entries of
 * the map. `idOffset` is where in a key the cgroup id is.
 */
export function foldDeparted(
  read: () => MapEntries,
  map: BpfMap,
  idOffset: number,
  lifetimes: Lifetimes,
): () => MapEntries {
  const fd = mapFd(map);
  const folded = new Map<string, { key: Buffer; value: Buffer }>();

  function fold({ keys, values, keySize, valueSize, copies }: MapEntries, index: number): void {
    const stride = valueSize * copies;
    const key = Buffer.from(keys.subarray(index * keySize, (index + 1) * keySize));
    // An LRU map may have dropped it since it was read.
    const value =
      takeElement(fd, key, stride) ?? Buffer.from(values.subarray(index * stride, (index + 1) * stride));
    key.writeBigUInt64LE(lifetimes.departedId(key.readBigUInt64LE(idOffset)), idOffset);
    const name = key.toString('latin1');
    const before = folded.get(name);
    if (before) addWords(before.value, value);
    else folded.set(name, { key, value });
  }

  return () => {
    const entries = read();
    let { count } = entries;
    for (const index of indexesOfGone(entries, idOffset, lifetimes)) {
      if (folded.size >= maxFolded) break;
      fold(entries, index);
      count--;
      moveEntry(entries, count, index);
    }
    return folded.size === 0 ? entries : append({ ...entries, count }, folded);
  };
}

/** The last first, so that the last entry of all can take the place of each. */
function indexesOfGone(
  { count, keys, keySize }: MapEntries,
  idOffset: number,
  lifetimes: Lifetimes,
): number[] {
  const view = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
  const isGone = new Map<number, boolean>();
  const indexes: number[] = [];
  for (let index = count - 1; index >= 0; index--) {
    const at = index * keySize + idOffset;
    // As a number it is found faster; where ids are too large for one, some of them share an answer.
    const id = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    let gone = isGone.get(id);
    if (gone === undefined) {
      gone = lifetimes.isGone(view.getBigUint64(at, true));
      isGone.set(id, gone);
    }
    if (gone) indexes.push(index);
  }
  return indexes;
}

function moveEntry({ keys, values, keySize, valueSize, copies }: MapEntries, from: number, to: number): void {
  const stride = valueSize * copies;
  keys.copyWithin(to * keySize, from * keySize, (from + 1) * keySize);
  values.copyWithin(to * stride, from * stride, (from + 1) * stride);
}

function append(
  entries: MapEntries,
  folded: ReadonlyMap<string, { key: Buffer; value: Buffer }>,
): MapEntries {
  const { keySize } = entries;
  const stride = entries.valueSize * entries.copies;
  const count = entries.count + folded.size;
  const keys = withRoom(entries.keys, entries.count * keySize, count * keySize);
  const values = withRoom(entries.values, entries.count * stride, count * stride);
  let index = entries.count;
  for (const { key, value } of folded.values()) {
    key.copy(keys, index * keySize);
    value.copy(values, index * stride);
    index++;
  }
  return { ...entries, keys, values, count, departed: folded.size };
}

/** The buffer itself where it is long enough, else a longer copy of what is used of it. */
function withRoom(buffer: Buffer, used: number, length: number): Buffer {
  return buffer.length >= length ? buffer : Buffer.concat([buffer.subarray(0, used)], length);
}

function addWords(sum: Buffer, value: Buffer): void {
  for (let at = 0; at < sum.length; at += wordSize)
    sum.writeBigUInt64LE(BigInt.asUintN(64, sum.readBigUInt64LE(at) + value.readBigUInt64LE(at)), at);
}
