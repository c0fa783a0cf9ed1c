import { possibleCpus } from '../libbpf/map.ts';
import { type BpfMap, type BpfObject, findMap } from '../libbpf/object.ts';
import { MapType } from '../libbpf/types.ts';
import { holdsEvents } from './events/events.ts';
import { innerOf, isNested } from './nested.ts';
import { isPerCpuMap } from './read.ts';

const MiB = 2 ** 20;

/**
 * Of the maps of a probe that are read: a scrape holds their contents in memory, and answers nothing else while the kernel
 * copies them. The 100,000 series that a sidecar may have need a tenth of it on a node of few CPUs, and fit with 64.
 */
const maxReadBytes = 64 * MiB;
/** The kernel takes a quarter of a second for so many. */
const maxReadEntries = 1_000_000;

/** Of a map that is read only to count its entries: the kernel takes some milliseconds for it when it is full. */
const quick = { bytes: MiB, entries: 20_000 };

/** Of all maps of an object, in the kernel, which charges them to the container. */
const maxBytes = 256 * MiB;

/**
 * Refuses an object, before it is loaded, whose maps would take too much memory when they are full. Throws an Error of
 * one sentence.
 */
export function refuseLargeMaps(object: BpfObject): void {
  refuseSum(object, object.maps, 'all maps of an object', {
    sizeOf: bytesOf,
    limit: maxBytes,
    format: inMiB,
  });
}

/** The same for those of its maps that metrics are read from, by the names that the metrics give. */
export function refuseLargeReads(object: BpfObject, names: Iterable<string>): void {
  const maps = [...new Set([...names].map((name) => findMap(object, name)))].filter(
    (map) => !holdsEvents(map),
  );
  const all = 'the maps that a scrape reads';
  refuseSum(object, maps, all, { sizeOf: readBytesOf, limit: maxReadBytes, format: inMiB });
  refuseSum(object, maps, all, { sizeOf: readEntriesOf, limit: maxReadEntries, format: inEntries });
}

/** Whether a whole map can be read at each scrape for no more than the number of its entries. */
export function isQuicklyRead(map: BpfMap): boolean {
  return map.maxEntries <= quick.entries && bytesOf(map) <= quick.bytes;
}

/** What there may only be so much of. */
interface Bound {
  sizeOf(map: BpfMap): number;
  limit: number;
  format(size: number): string;
}

function refuseSum(
  { name }: BpfObject,
  maps: readonly BpfMap[],
  all: string,
  { sizeOf, limit, format }: Bound,
): void {
  const sum = maps.reduce((total, map) => total + sizeOf(map), 0);
  if (sum <= limit) return;
  const largest = maps.reduce((most, map) => (sizeOf(map) > sizeOf(most) ? map : most));
  throw new Error(
    `object ${name}: map ${largest.name} has ${format(sizeOf(largest))}, and ${all} may have ${format(limit)} together, not ${format(sum)}; give it fewer max_entries or a smaller value`,
  );
}

/** What a map takes when it is full: of each entry the key, and the value as often as it has copies. */
function bytesOf(map: BpfMap): number {
  const { type, keySize, valueSize, maxEntries } = map;
  if (type === MapType.ringBuffer) return maxEntries;
  const padded = Math.ceil(valueSize / 8) * 8;
  return (keySize + padded * (isPerCpuMap(type) ? possibleCpus() : 1)) * maxEntries;
}

/** A map of maps is read with all that is in them. */
function readBytesOf(map: BpfMap): number {
  return isNested(map) ? map.maxEntries * (map.keySize + bytesOf(innerOf(map))) : bytesOf(map);
}

function readEntriesOf(map: BpfMap): number {
  return isNested(map) ? map.maxEntries * innerOf(map).maxEntries : map.maxEntries;
}

function inMiB(bytes: number): string {
  return `${Math.ceil(bytes / MiB).toLocaleString('en')} MiB`;
}

function inEntries(entries: number): string {
  return `${entries.toLocaleString('en')} entries`;
}
