import type { HistogramMetric, Labelled } from '../contract/metric-spec.ts';
import type { Field } from '../libbpf/btf.ts';
import type { MapEntries } from '../maps/entries.ts';
import type { Losses } from './bounds.ts';
import { labelsOfKey } from './btf-labels.ts';
import { createScale } from './buckets.ts';
import type { DecoderContext } from './decoders/decoder.ts';
import type { Exemplar, HistogramSeries } from './family.ts';
import { createPairReader } from './key-labels.ts';
import { renderLabels } from './labels.ts';
import { wordSize } from './layout.ts';
import { readU64 } from './words.ts';

/** What is known of the map that a histogram's `exemplars` names; see bpf/include/exemplars.bpf.h. */
export interface ExemplarLayout {
  keySize: number;
  valueSize: number;
  /** The members of the value's struct. May throw. */
  fields(): readonly Field[];
}

/** The most that names and values of an exemplar's labels may have together, by OpenMetrics 1.0. */
const maxLabelsLength = 128;
/** Seconds by which the clock has to have been set before times are told by it anew. */
const clockTolerance = 1;

/** Puts the newest event of each bucket on the series that `find` has for the start of its key. */
export type AddExemplars = (
  entries: MapEntries,
  find: (keys: Buffer, start: number) => Pick<HistogramSeries, 'exemplars'> | undefined,
) => void;

/**
 * An exemplar goes to the bucket that its value belongs to: what follows the labels in the key only has to keep
 * the entries apart. Throws an Error of one sentence when the map is not made so.
 */
export function createExemplarAdder(
  metric: Labelled<HistogramMetric>,
  { keySize, valueSize, fields }: ExemplarLayout,
  bounds: readonly number[],
  context: DecoderContext,
  losses: Losses,
): AddExemplars {
  const place = `metric ${metric.name}: map "${metric.exemplars}" of its exemplars`;
  const labelBytes = metric.labels.reduce((bytes, { size, padding }) => bytes + size + padding, 0);
  if (keySize < labelBytes)
    throw new Error(
      `${place} has a key of ${keySize} bytes, which must begin with the ${labelBytes} bytes of the labels`,
    );
  const members = fields();
  const offsetOf = (name: string) => {
    const member = members.find((field) => field.name === name && field.size === wordSize);
    if (member === undefined)
      throw new Error(`${place} must have a struct with a u64 "${name}" as its value`);
    return member.offset;
  };
  const valueAt = offsetOf('value');
  const timeAt = offsetOf('time');
  const readPairs = createPairReader(
    labelsOfKey({ size: valueSize, fields: () => members }),
    context,
    losses,
  );
  const scale = createScale(metric.buckets.multiplier);
  const toUnix = createClock();

  function read(values: Buffer, start: number, value: number, time: number): Exemplar | undefined {
    const pairs = readPairs(values.subarray(start, start + valueSize));
    if (pairs === undefined) return undefined;
    const own = pairs.filter(([name, text]) => name !== 'value' && name !== 'time' && text !== '');
    const kept = shorten(own);
    losses.exemplarLabels += own.length - kept.length;
    return { labels: renderLabels(kept), value, time };
  }

  return ({ count, keys, values, keySize: keyStride, valueSize: valueStride, copies }, find) => {
    const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
    const unix = toUnix();
    for (let copy = 0; copy < count * copies; copy++) {
      const series = find(keys, Math.floor(copy / copies) * keyStride);
      const start = copy * valueStride;
      const nanoseconds = readU64(view, start + timeAt);
      if (series === undefined || nanoseconds === 0) continue;
      const value = scale(readU64(view, start + valueAt));
      const time = unix(nanoseconds);
      const bucket = bucketOf(bounds, value);
      series.exemplars ??= [];
      if ((series.exemplars[bucket]?.time ?? 0) >= time) continue;
      const exemplar = read(values, start, value, time);
      if (exemplar !== undefined) series.exemplars[bucket] = exemplar;
    }
  };
}

/** The first bucket whose bound the value does not exceed; the one after the last when it exceeds all. */
function bucketOf(bounds: readonly number[], value: number): number {
  const index = bounds.findIndex((bound) => value <= bound);
  return index < 0 ? bounds.length : index;
}

/** The first labels that are short enough together, in characters. */
function shorten(pairs: readonly [string, string][]): [string, string][] {
  let left = maxLabelsLength;
  return pairs.filter(([name, value]) => {
    const length = name.length + Array.from(value).length;
    if (length > left) return false;
    left -= length;
    return true;
  });
}

/**
 * Turns what bpf_ktime_get_ns gave into Unix time in seconds, to the millisecond. An event has the same time at
 * every scrape: Prometheus would take another for another exemplar.
 */
function createClock(): () => (nanoseconds: number) => number {
  let offset = clockOffset();
  return () => {
    const now = clockOffset();
    if (Math.abs(now - offset) > clockTolerance) offset = now;
    return (nanoseconds) => Math.round((offset + nanoseconds / 1e9) * 1000) / 1000;
  };
}

/** Seconds from the start of CLOCK_MONOTONIC, which bpf_ktime_get_ns reads, to that of Unix time. */
function clockOffset(): number {
  return Date.now() / 1000 - Number(process.hrtime.bigint()) / 1e9;
}
