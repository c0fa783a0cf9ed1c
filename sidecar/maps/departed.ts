import { takeElement } from '../libbpf/map.ts';
import { type BpfMap, mapFd } from '../libbpf/object.ts';
import { MapType } from '../libbpf/types.ts';
import type { MapEntries } from './entries.ts';
import { innerOf, isNested, takeNested } from './nested.ts';
import { addNumbers, type SummedNumber, withoutParts } from './sums.ts';

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

/** Folded entries of a map; more are left where they are. Each container has as many as it had keys. */
const maxFolded = 10_000;

/** Where containers are in the keys of a map, and what counts of them. */
export interface Departures {
  /** Where in a key the cgroup id is. */
  idOffset: number;
  /** The numbers in a value that are added up. */
  numbers: readonly SummedNumber[];
  lifetimes: Lifetimes;
}

/**
 * Whether entries of a map can be folded: it lets go of them. Of a map of maps the inner ones do, whose keys may have the
 * id; in a key of the outer one there is none, for only user space puts maps in.
 */
export function canFold(map: BpfMap, idOffset: number): boolean {
  if (!isNested(map)) return removable.includes(map.type);
  return removable.includes(innerOf(map).type) && idOffset >= map.keySize;
}

/** Entries of one key that are gone; a further one of that key where the numbers would not fit. */
interface Folded {
  key: Buffer;
  value: Buffer;
}

/**
 * A reader that takes the entries of containers that are gone out of the map, so that their space is free again,
 * and gives what they counted all the same: added up over all that went by the same name, behind the entries of
 * the map.
 */
export function foldDeparted(
  read: () => MapEntries,
  map: BpfMap,
  { idOffset, numbers: all, lifetimes }: Departures,
): () => MapEntries {
  const numbers = withoutParts(all);
  const take = isNested(map)
    ? (key: Buffer, stride: number) => takeNested(map, key, stride)
    : (key: Buffer, stride: number) => takeElement(mapFd(map), key, stride);
  /** By key, the last of each. */
  const last = new Map<string, Folded>();
  const folded: Folded[] = [];

  function fold({ keys, values, keySize, valueSize, copies }: MapEntries, index: number): void {
    const stride = valueSize * copies;
    const key = Buffer.from(keys.subarray(index * keySize, (index + 1) * keySize));
    // An LRU map may have dropped it since it was read.
    const value = take(key, stride) ?? Buffer.from(values.subarray(index * stride, (index + 1) * stride));
    key.writeBigUInt64LE(lifetimes.departedId(key.readBigUInt64LE(idOffset)), idOffset);
    const name = key.toString('latin1');
    const before = last.get(name);
    if (before && addNumbers(before.value, value, numbers, valueSize)) return;
    const entry = { key, value };
    last.set(name, entry);
    folded.push(entry);
  }

  return () => {
    const entries = read();
    let { count } = entries;
    for (const index of indexesOfGone(entries, idOffset, lifetimes)) {
      if (folded.length >= maxFolded) break;
      fold(entries, index);
      count--;
      moveEntry(entries, count, index);
    }
    return folded.length === 0 ? entries : append({ ...entries, count }, folded);
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
  let last = Number.NaN;
  let gone: boolean | undefined;
  for (let index = count - 1; index >= 0; index--) {
    const at = index * keySize + idOffset;
    // As a number it is found faster; where ids are too large for one, some of them share an answer.
    const id = (view.getInt32(at, true) >>> 0) + (view.getInt32(at + 4, true) >>> 0) * 2 ** 32;
    if (id !== last) {
      gone = isGone.get(id);
      if (gone === undefined) {
        gone = lifetimes.isGone(view.getBigUint64(at, true));
        isGone.set(id, gone);
      }
      last = id;
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

function append(entries: MapEntries, folded: readonly Folded[]): MapEntries {
  const { keySize } = entries;
  const stride = entries.valueSize * entries.copies;
  const count = entries.count + folded.length;
  const keys = withRoom(entries.keys, entries.count * keySize, count * keySize);
  const values = withRoom(entries.values, entries.count * stride, count * stride);
  for (const [index, { key, value }] of folded.entries()) {
    key.copy(keys, (entries.count + index) * keySize);
    value.copy(values, (entries.count + index) * stride);
  }
  return { ...entries, keys, values, count, departed: folded.length };
}

/** The buffer itself where it is long enough, else a longer copy of what is used of it. */
function withRoom(buffer: Buffer, used: number, length: number): Buffer {
  return buffer.length >= length ? buffer : Buffer.concat([buffer.subarray(0, used)], length);
}
