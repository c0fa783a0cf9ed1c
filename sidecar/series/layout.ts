import type { KeyPart } from '../contract/label-spec.ts';
import type { Labelled, Metric } from '../contract/metric-spec.ts';
import type { Field } from '../libbpf/btf.ts';
import type { ExemplarLayout } from './exemplars.ts';

/** What is known of a map once its object is loaded. */
export interface MapLayout {
  keySize: number;
  valueSize: number;
  /** Unix time in seconds at which the map was made, before any program wrote to it. */
  created: number;
  /** Where a member lies in the value struct, in bytes; undefined when there is none of that name. */
  member(name: string): NumberField | undefined;
  /** The parts of the key where the object has BTF for it, for metrics whose spec has no labels. May throw. */
  keyFields?: () => readonly Field[];
  /** Whether the values are kept per CPU. */
  perCpu?: boolean;
  /** Whether it is an array of one entry, whose key says nothing. */
  single?: boolean | undefined;
  /** The map that a histogram names for its exemplars. May throw. */
  exemplars?: (map: string) => ExemplarLayout;
}

/** Where something lies in a value, in bytes. */
export interface NumberField {
  offset: number;
  size: number;
  /** Whether it is a signed integer; not when left out. */
  signed?: boolean;
}

/** Bytes of a u64. */
export const wordSize = 8;

/** Throws when the labels do not cover the key. */
export function checkKey(metric: Labelled, layout: MapLayout): void {
  const covered = labelBytes(metric) + bucketBytes(metric);
  if (covered === 0) return;
  if (covered !== layout.keySize)
    throw new Error(
      `metric ${metric.name}: the labels cover ${covered} bytes, but a key of map "${metric.map}" has ${layout.keySize}; make their size and padding add up to it`,
    );
}

/**
 * Where in a map's key the whole cgroup id is that tells the container: the first label with the decoder `cgroup`, when
 * it is at the same place for all metrics that have one. Undefined when there is none.
 */
export function cgroupOffset(metrics: readonly Labelled[]): number | undefined {
  const offsets = metrics.flatMap(({ labels }) => {
    const index = labels.findIndex(
      ({ size, decoders }) => size === wordSize && decoders.some(({ name }) => name === 'cgroup'),
    );
    return index < 0 ? [] : bytesOf(labels.slice(0, index));
  });
  return offsets.every((offset) => offset === offsets[0]) ? offsets[0] : undefined;
}

/**
 * Bytes of an event that the metrics of a map look at. Throws when they differ, since the same events are counted
 * for all.
 */
export function keyBytes(metrics: readonly Labelled[]): number {
  const sizes = metrics.map((metric) => labelBytes(metric) + bucketBytes(metric));
  const differing = metrics.find((_, index) => sizes[index] !== sizes[0]);
  if (differing)
    throw new Error(
      `metric ${differing.name}: its labels cover another number of bytes of an event than those of ${metrics[0]!.name}, from the same map "${differing.map}"`,
    );
  return sizes[0] ?? 0;
}

function bucketBytes(metric: Metric): number {
  return 'bucketKey' in metric && metric.bucketKey ? bytesOf([metric.bucketKey]) : 0;
}

/** Bytes of the key up to the end of the last label. */
export function labelBytes({ labels }: Labelled): number {
  return bytesOf(labels);
}

function bytesOf(parts: readonly KeyPart[]): number {
  return parts.reduce((bytes, { size, padding }) => bytes + size + padding, 0);
}

const integerSizes = [1, 2, 4, wordSize];

/** The numbers that a metric adds up when entries of the map share a series. Throws when they are not there. */
export function summedNumbers(metric: Labelled, layout: MapLayout): NumberField[] {
  const words = (count: number) => {
    const offset = valueOffset(metric, layout, count);
    return Array.from({ length: count }, (_, index) => ({
      offset: offset + index * wordSize,
      size: wordSize,
    }));
  };
  switch (metric.type) {
    case 'info':
    case 'stateset':
      return [];
    case 'summary':
      return words(2);
    case 'histogram':
    case 'gaugehistogram':
      return words(metric.bucketKey === undefined ? metric.buckets.keys.length + 2 : 1);
    default:
      return [numberField(metric, layout)];
  }
}

/** Where the metric's one number is in a value of the map. Throws when there is none. */
export function numberField({ name, map, value }: Metric, layout: MapLayout): NumberField {
  const field =
    value === undefined ? { offset: 0, size: layout.valueSize } : memberOf(name, map, value, layout);
  if (integerSizes.includes(field.size)) return field;
  const what = value === undefined ? `a value of map "${map}"` : `member "${value}" of map "${map}"`;
  throw new Error(
    `metric ${name}: ${what} has ${field.size} bytes and must be one integer of 1, 2, 4 or 8 bytes${value === undefined ? '; or name a member of it with "value"' : ''}`,
  );
}

function memberOf(metric: string, map: string, value: string, layout: MapLayout): NumberField {
  const member = layout.member(value);
  if (member === undefined)
    throw new Error(`metric ${metric}: the value of map "${map}" has no member "${value}"`);
  return member;
}

/**
 * Where the metric's u64 begin in a value of the map: one, or as many `words` as its `parts` take. Throws when
 * they are not there.
 */
export function valueOffset({ name, map, value }: Metric, layout: MapLayout, words = 1, parts = ''): number {
  const size = words * wordSize;
  const wanted = words === 1 ? 'one u64' : `an array of ${words} u64 (${parts})`;
  if (value === undefined) {
    if (layout.valueSize !== size)
      throw new Error(
        `metric ${name}: a value of map "${map}" has ${layout.valueSize} bytes and must be ${wanted}; or name a member of it with "value"`,
      );
    return 0;
  }
  // Only a packed struct can be so, and its copies in a per-CPU map would lie further apart than its size.
  if (layout.valueSize % wordSize !== 0)
    throw new Error(
      `metric ${name}: a value of map "${map}" has ${layout.valueSize} bytes and must have a multiple of ${wordSize}; do not pack its struct`,
    );
  const member = memberOf(name, map, value, layout);
  if (member.size !== size)
    throw new Error(
      `metric ${name}: member "${value}" of map "${map}" has ${member.size} bytes and must be ${wanted}, ${size} bytes`,
    );
  return member.offset;
}
