import type { KeyPart } from '../contract/label-spec.ts';
import type {
  HistogramMetric,
  InfoMetric,
  Labelled,
  Metric,
  ScalarMetric,
  StateSetMetric,
  SummaryMetric,
} from '../contract/metric-spec.ts';
import type { MapEntries } from '../maps/entries.ts';
import { type Bounds, createBounds } from './bounds.ts';
import { withLabels } from './btf-labels.ts';
import { bucketBounds, createBucketFinder, createScale } from './buckets.ts';
import { cpuSize, splitCpus, tellsCpu } from './cpu-label.ts';
import type { DecoderContext } from './decoders/decoder.ts';
import { createExemplarAdder } from './exemplars.ts';
import type { Family, HistogramSeries, ScalarSeries, SummarySeries } from './family.ts';
import { createLabelReader } from './key-labels.ts';
import { checkKey, labelBytes, type MapLayout, numberField, valueOffset, wordSize } from './layout.ts';
import { type Cached, createSeriesCache, type SeriesCache } from './series-cache.ts';
import { readInt, readU64, readUint } from './words.ts';

/** Turns reads of one map into one family. */
export interface FamilyReader {
  /** The family as of this read: the same object every time, updated in place. */
  read(entries: MapEntries): Family;
  /** Puts the entries of a histogram's map of exemplars onto the series that the last read has found. */
  addExemplars?: (entries: MapEntries) => void;
  /** Gives the room of its series back. */
  close(): void;
}

/** Adds what one value of the map says to a series. `key` and `value` are byte offsets. */
type AddValue<Series> = (
  series: Series,
  keys: DataView,
  key: number,
  values: DataView,
  value: number,
) => void;

/** How series are named and how many there may be. */
interface Shared {
  context: DecoderContext;
  bounds: Bounds;
}

/**
 * Makes the reader of a metric. Throws an Error of one sentence when the spec does not fit the map: labels
 * that do not cover the key, no such member, a value of another size.
 */
export function createFamilyReader(
  metric: Metric,
  layout: MapLayout,
  context: DecoderContext,
  bounds: Bounds = createBounds(),
): FamilyReader {
  const labelled = withLabels(metric, { size: layout.keySize, fields: layout.keyFields ?? (() => []) });
  const { keySize } = layout;
  if (!layout.perCpu || !tellsCpu(labelled, keySize))
    return createReader(labelled, layout, { context, bounds });
  const reader = createReader(labelled, { ...layout, keySize: keySize + cpuSize }, { context, bounds });
  return { ...reader, read: (entries) => reader.read(splitCpus(entries)) };
}

function createReader(metric: Labelled, layout: MapLayout, shared: Shared): FamilyReader {
  checkKey(metric, layout);
  switch (metric.type) {
    case 'info':
      return infoReader(metric, shared);
    case 'stateset':
      return stateSetReader(metric, layout, shared);
    case 'summary':
      return summaryReader(metric, layout, shared);
    case 'histogram':
    case 'gaugehistogram':
      return histogramReader(metric, layout, shared);
    default:
      return scalarReader(metric, layout, shared);
  }
}

/** Types that tell a present state, of which what is gone has none. */
const tellsPresent = new Set<Family['type']>(['gauge', 'gaugehistogram', 'info', 'stateset']);

function scalarReader(metric: Labelled<ScalarMetric>, layout: MapLayout, shared: Shared): FamilyReader {
  const { offset, size, signed = false } = numberField(metric, layout);
  const readNumber = signed ? readInt : readUint;
  const cache = scalarCache(metric, shared);
  const { type, name, help } = metric;
  const family: Family = { type, name, help, created: layout.created, series: cache.all };
  return familyReader(family, cache, (series, _keys, _key, values, value) => {
    series.value += readNumber(values, value + offset, size);
  });
}

function infoReader(metric: Labelled<InfoMetric>, shared: Shared): FamilyReader {
  const cache = scalarCache(metric, shared);
  const { type, name, help } = metric;
  return familyReader({ type, name, help, series: cache.all }, cache, (series) => {
    series.value = 1;
  });
}

/** Where keys or CPUs share a series, a state is on when it is on in one of them. */
function stateSetReader(metric: Labelled<StateSetMetric>, layout: MapLayout, shared: Shared): FamilyReader {
  const offset = valueOffset(metric, layout);
  const cache = scalarCache(metric, shared);
  const { type, name, help, states } = metric;
  const family: Family = { type, name, help, states, series: cache.all };
  return familyReader(family, cache, (series, _keys, _key, values, value) => {
    series.value |= readUint(values, value + offset, 4);
  });
}

function summaryReader(metric: Labelled<SummaryMetric>, layout: MapLayout, shared: Shared): FamilyReader {
  const offset = valueOffset(metric, layout, 2, 'count, sum');
  const create = (labels: string) => ({ labels, count: 0, sum: 0, lastRead: 0 });
  const reset = (series: SummarySeries) => {
    series.count = 0;
    series.sum = 0;
  };
  const cache = seriesCache<SummarySeries>(metric, shared, create, reset);
  const { type, name, help } = metric;
  const family: Family = { type, name, help, created: layout.created, series: cache.all };
  const reader = familyReader(family, cache, (series, _keys, _key, values, value) => {
    series.count += readU64(values, value + offset);
    series.sum += readU64(values, value + offset + wordSize);
  });
  return scaleSums(reader, cache, metric.multiplier);
}

function histogramReader(metric: Labelled<HistogramMetric>, layout: MapLayout, shared: Shared): FamilyReader {
  const bounds = bucketBounds(metric.buckets);
  const create = (labels: string) => ({
    labels,
    counts: new Array<number>(bounds.length + 1).fill(0),
    sum: 0,
    lastRead: 0,
  });
  const reset = (series: HistogramSeries) => {
    series.counts.fill(0);
    series.sum = 0;
    series.exemplars = undefined;
  };
  const cache = seriesCache<HistogramSeries>(metric, shared, create, reset);
  const { type, name, help } = metric;
  const family: Family = { type, name, help, created: layout.created, bounds, series: cache.all };
  const { bucketKey } = metric;
  const reader = familyReader(
    family,
    cache,
    bucketKey === undefined ? addBucketArray(metric, layout) : addKeyedBucket(metric, bucketKey, layout),
  );
  const scaled = scaleSums(reader, cache, metric.buckets.multiplier);
  if (metric.exemplars === undefined || layout.exemplars === undefined) return scaled;
  const exemplars = layout.exemplars(metric.exemplars);
  const { context, bounds: limits } = shared;
  const add = createExemplarAdder(metric, exemplars, bounds, context, limits.losses);
  return { ...scaled, addExemplars: (entries) => add(entries, cache.found) };
}

/**
 * Multiplies the sums once all is added up. Whole numbers add up exactly, in any order. Scaled before, a sum
 * could go down by a rounding error from one scrape to the next, which Prometheus takes for a restart.
 */
function scaleSums(
  { read, close }: FamilyReader,
  cache: SeriesCache<{ sum: number }>,
  multiplier: number,
): FamilyReader {
  const scale = createScale(multiplier);
  return {
    read(entries) {
      const family = read(entries);
      for (const series of cache.all) series.sum = scale(series.sum);
      return family;
    },
    close,
  };
}

/** The key ends with the bucket, the value is its count. */
function addKeyedBucket(
  metric: Labelled<HistogramMetric>,
  bucketKey: KeyPart,
  layout: MapLayout,
): AddValue<HistogramSeries> {
  const offset = valueOffset(metric, layout);
  const bucketOffset = labelBytes(metric);
  const findBucket = createBucketFinder(metric.buckets);
  return (series, keys, key, values, value) => {
    const count = readU64(values, value + offset);
    const bucket = findBucket(readUint(keys, key + bucketOffset, bucketKey.size));
    if (bucket === 'sum') series.sum += count;
    else series.counts[bucket]! += count;
  };
}

/** The value holds an array of u64: the buckets, the sum, the events over the last bound. */
function addBucketArray(metric: Labelled<HistogramMetric>, layout: MapLayout): AddValue<HistogramSeries> {
  const length = metric.buckets.keys.length;
  const offset = valueOffset(metric, layout, length + 2, 'buckets, sum, overflow');
  return (series, _keys, _key, values, value) => {
    const start = value + offset;
    for (let index = 0; index < length; index++)
      series.counts[index]! += readU64(values, start + index * wordSize);
    series.sum += readU64(values, start + length * wordSize);
    series.counts[length]! += readU64(values, start + (length + 1) * wordSize);
  };
}

function scalarCache(metric: Labelled, shared: Shared): SeriesCache<ScalarSeries> {
  const create = (labels: string) => ({ labels, value: 0, lastRead: 0 });
  return seriesCache<ScalarSeries>(metric, shared, create, (series) => {
    series.value = 0;
  });
}

function seriesCache<Series>(
  metric: Labelled,
  { context, bounds }: Shared,
  create: (labels: string) => Cached<Series>,
  reset: (series: Series) => void,
): SeriesCache<Series> {
  const readLabels = createLabelReader(metric.labels, context, bounds.losses);
  return createSeriesCache(labelBytes(metric), readLabels, () => context.generation(), create, reset, bounds);
}

function familyReader<Series>(
  family: Family,
  cache: SeriesCache<Series>,
  addValue: AddValue<Series>,
): FamilyReader {
  return {
    read({ count, keys, values, keySize, valueSize, copies, departed = 0 }) {
      const keyView = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
      const valueView = new DataView(values.buffer, values.byteOffset, values.byteLength);
      cache.beginRead();
      const end = tellsPresent.has(family.type) ? count - departed : count;
      for (let entry = 0; entry < end; entry++) {
        const key = entry * keySize;
        const series = cache.find(keys, key);
        if (series === undefined) continue;
        for (let copy = entry * copies; copy < (entry + 1) * copies; copy++)
          addValue(series, keyView, key, valueView, copy * valueSize);
      }
      cache.endRead();
      return family;
    },
    close: cache.close,
  };
}
