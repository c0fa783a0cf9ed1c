import type { KeyPart } from '../contract/label-spec.ts';
import type { HistogramMetric, Metric, ScalarMetric } from '../contract/metric-spec.ts';
import type { MapEntries } from '../maps/entries.ts';
import { bucketBounds, createBucketFinder, createScale } from './buckets.ts';
import type { DecoderContext } from './decoders/decoder.ts';
import type { Family, HistogramSeries, ScalarSeries } from './family.ts';
import { createLabelReader } from './key-labels.ts';
import { checkKey, labelBytes, type MapLayout, valueOffset, wordSize } from './layout.ts';
import { type Cached, createSeriesCache, type SeriesCache } from './series-cache.ts';
import { readU64, readUint } from './words.ts';

/** Turns reads of one map into one family. */
export interface FamilyReader {
  /** The family as of this read: the same object every time, updated in place. */
  read(entries: MapEntries): Family;
  /** Series left out so far because the family was full; each counts once per read. */
  dropped(): number;
}

/** Adds what one value of the map says to a series. `key` and `value` are byte offsets. */
type AddValue<Series> = (
  series: Series,
  keys: DataView,
  key: number,
  values: DataView,
  value: number,
) => void;

/**
 * Makes the reader of a metric. Throws an Error of one sentence when the spec does not fit the map: labels
 * that do not cover the key, no such member, a value of another size.
 */
export function createFamilyReader(metric: Metric, layout: MapLayout, context: DecoderContext): FamilyReader {
  checkKey(metric, layout);
  return metric.type === 'histogram'
    ? histogramReader(metric, layout, context)
    : scalarReader(metric, layout, context);
}

function scalarReader(metric: ScalarMetric, layout: MapLayout, context: DecoderContext): FamilyReader {
  const offset = valueOffset(metric, layout, 1);
  const create = (labels: string) => ({ labels, value: 0, lastRead: 0 });
  const reset = (series: ScalarSeries) => {
    series.value = 0;
  };
  const cache = seriesCache<ScalarSeries>(metric, context, create, reset);
  const family: Family = { type: metric.type, name: metric.name, help: metric.help, series: cache.all };
  return familyReader(family, cache, (series, _keys, _key, values, value) => {
    series.value += readU64(values, value + offset);
  });
}

function histogramReader(metric: HistogramMetric, layout: MapLayout, context: DecoderContext): FamilyReader {
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
  };
  const cache = seriesCache<HistogramSeries>(metric, context, create, reset);
  const family: Family = {
    type: 'histogram',
    name: metric.name,
    help: metric.help,
    bounds,
    series: cache.all,
  };
  const { bucketKey } = metric;
  const { read, dropped } = familyReader(
    family,
    cache,
    bucketKey === undefined ? addBucketArray(metric, layout) : addKeyedBucket(metric, bucketKey, layout),
  );
  const scale = createScale(metric.buckets.multiplier);
  return {
    read(entries) {
      read(entries);
      // Whole numbers add up exactly, in any order. Scaled before, the sum could go down by a rounding error
      // from one scrape to the next, which Prometheus takes for a restart.
      for (const series of cache.all) series.sum = scale(series.sum);
      return family;
    },
    dropped,
  };
}

/** The key ends with the bucket, the value is its count. */
function addKeyedBucket(
  metric: HistogramMetric,
  bucketKey: KeyPart,
  layout: MapLayout,
): AddValue<HistogramSeries> {
  const offset = valueOffset(metric, layout, 1);
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
function addBucketArray(metric: HistogramMetric, layout: MapLayout): AddValue<HistogramSeries> {
  const length = metric.buckets.keys.length;
  const offset = valueOffset(metric, layout, length + 2);
  return (series, _keys, _key, values, value) => {
    const start = value + offset;
    for (let index = 0; index < length; index++)
      series.counts[index]! += readU64(values, start + index * wordSize);
    series.sum += readU64(values, start + length * wordSize);
    series.counts[length]! += readU64(values, start + (length + 1) * wordSize);
  };
}

function seriesCache<Series>(
  metric: Metric,
  context: DecoderContext,
  create: (labels: string) => Cached<Series>,
  reset: (series: Series) => void,
): SeriesCache<Series> {
  const readLabels = createLabelReader(metric.labels, context);
  return createSeriesCache(labelBytes(metric), readLabels, () => context.generation(), create, reset);
}

function familyReader<Series>(
  family: Family,
  cache: SeriesCache<Series>,
  addValue: AddValue<Series>,
): FamilyReader {
  return {
    read({ count, keys, values, keySize, valueSize, copies }) {
      const keyView = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
      const valueView = new DataView(values.buffer, values.byteOffset, values.byteLength);
      cache.beginRead();
      for (let entry = 0; entry < count; entry++) {
        const key = entry * keySize;
        const series = cache.find(keys, key);
        if (series === undefined) continue;
        for (let copy = entry * copies; copy < (entry + 1) * copies; copy++)
          addValue(series, keyView, key, valueView, copy * valueSize);
      }
      cache.endRead();
      return family;
    },
    dropped: cache.dropped,
  };
}
