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
import { bytesBeforeCpu, cpuSize, splitCpus } from './cpu-label.ts';
import type { DecoderContext } from './decoders/decoder.ts';
import { createExemplarAdder } from './exemplars.ts';
import type { Family, HistogramSeries, ScalarSeries, SummarySeries } from './family.ts';
import { createLabelReader } from './key-labels.ts';
import { checkKey, labelBytes, type MapLayout, numberField, valueOffset, wordSize } from './layout.ts';
import { createSeriesTable, none, type SeriesTable } from './series-table.ts';
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

/** Adds what one value of the map says to a row. `row`, `key` and `value` are where each begins. */
type AddValue = (
  numbers: Float64Array,
  row: number,
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
  const { keySize, keyFields: fields = () => [], single } = layout;
  const labelled = withLabels(metric, { size: keySize, fields, single });
  const keyBytes = bytesBeforeCpu(labelled, layout);
  if (keyBytes === undefined) return createReader(labelled, layout, { context, bounds });
  const reader = createReader(labelled, { ...layout, keySize: keyBytes + cpuSize }, { context, bounds });
  return { ...reader, read: (entries) => reader.read(splitCpus(entries, keyBytes)) };
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
  const table = seriesTable(metric, shared, 1);
  const { type, name, help } = metric;
  const series = scalars(table, createScale(metric.multiplier ?? 1));
  const family: Family = { type, name, help, created: layout.created, series };
  return familyReader(family, table, (numbers, row, _keys, _key, values, value) => {
    numbers[row]! += readNumber(values, value + offset, size);
  });
}

function infoReader(metric: Labelled<InfoMetric>, shared: Shared): FamilyReader {
  const table = seriesTable(metric, shared, 1);
  const { type, name, help } = metric;
  return familyReader({ type, name, help, series: scalars(table) }, table, (numbers, row) => {
    numbers[row] = 1;
  });
}

/** Where keys or CPUs share a series, a state is on when it is on in one of them. */
function stateSetReader(metric: Labelled<StateSetMetric>, layout: MapLayout, shared: Shared): FamilyReader {
  const offset = valueOffset(metric, layout);
  const table = seriesTable(metric, shared, 1);
  const { type, name, help, states } = metric;
  const family: Family = { type, name, help, states, series: scalars(table) };
  return familyReader(family, table, (numbers, row, _keys, _key, values, value) => {
    numbers[row]! |= readUint(values, value + offset, 4);
  });
}

function scalars(table: SeriesTable, scale = createScale(1)): Iterable<ScalarSeries> {
  return seriesOf(table, (labels, row) => ({ labels, value: scale(table.numbers[row]!) }));
}

/**
 * Numbers are scaled once all is added up. Whole numbers add up exactly, in any order. Scaled
 * before, a sum could go down by a rounding error from one scrape to the next, which Prometheus takes for a restart.
 */
function summaryReader(metric: Labelled<SummaryMetric>, layout: MapLayout, shared: Shared): FamilyReader {
  const offset = valueOffset(metric, layout, 2, 'count, sum');
  const scale = createScale(metric.multiplier);
  const table = seriesTable(metric, shared, 2);
  const series = seriesOf(table, (labels, row): SummarySeries => {
    const { numbers } = table;
    return { labels, count: numbers[row]!, sum: scale(numbers[row + 1]!) };
  });
  const { type, name, help } = metric;
  const family: Family = { type, name, help, created: layout.created, series };
  return familyReader(family, table, (numbers, row, _keys, _key, values, value) => {
    numbers[row]! += readU64(values, value + offset);
    numbers[row + 1]! += readU64(values, value + offset + wordSize);
  });
}

/** A row has the counts of the buckets, that of the events above the last bound, and the sum. */
function histogramReader(metric: Labelled<HistogramMetric>, layout: MapLayout, shared: Shared): FamilyReader {
  const bounds = bucketBounds(metric.buckets);
  const scale = createScale(metric.buckets.multiplier);
  const sumAt = bounds.length + 1;
  const table = seriesTable(metric, shared, sumAt + 1);
  /** By row, of the last read. */
  const exemplars = new Map<number, Pick<HistogramSeries, 'exemplars'>>();
  const series = seriesOf(table, (labels, row): HistogramSeries => {
    const { numbers } = table;
    const counts = Array.from(numbers.subarray(row, row + sumAt));
    return { labels, counts, sum: scale(numbers[row + sumAt]!), ...exemplars.get(row) };
  });
  const { type, name, help, bucketKey } = metric;
  const family: Family = { type, name, help, created: layout.created, bounds, series };
  const addValue =
    bucketKey === undefined ? addBucketArray(metric, layout) : addKeyedBucket(metric, bucketKey, layout);
  const reader = familyReader(family, table, addValue);
  if (metric.exemplars === undefined || layout.exemplars === undefined) return reader;
  const { context, bounds: limits } = shared;
  const add = createExemplarAdder(metric, layout.exemplars(metric.exemplars), bounds, context, limits.losses);
  return {
    ...reader,
    addExemplars(entries) {
      exemplars.clear();
      add(entries, (keys, start) => {
        const row = table.found(keys, start);
        if (row === none) return undefined;
        const holder = exemplars.get(row) ?? {};
        exemplars.set(row, holder);
        return holder;
      });
    },
  };
}

/** The key ends with the bucket, the value is its count. */
function addKeyedBucket(metric: Labelled<HistogramMetric>, bucketKey: KeyPart, layout: MapLayout): AddValue {
  const offset = valueOffset(metric, layout);
  const bucketOffset = labelBytes(metric);
  const findBucket = createBucketFinder(metric.buckets);
  const sumAt = metric.buckets.keys.length + 1;
  return (numbers, row, keys, key, values, value) => {
    const bucket = findBucket(readUint(keys, key + bucketOffset, bucketKey.size));
    numbers[row + (bucket === 'sum' ? sumAt : bucket)]! += readU64(values, value + offset);
  };
}

/** The value holds an array of u64: the buckets, the sum, the events over the last bound. */
function addBucketArray(metric: Labelled<HistogramMetric>, layout: MapLayout): AddValue {
  const length = metric.buckets.keys.length;
  const offset = valueOffset(metric, layout, length + 2, 'buckets, sum, overflow');
  return (numbers, row, _keys, _key, values, value) => {
    const start = value + offset;
    for (let index = 0; index < length; index++)
      numbers[row + index]! += readU64(values, start + index * wordSize);
    numbers[row + length + 1]! += readU64(values, start + length * wordSize);
    numbers[row + length]! += readU64(values, start + (length + 1) * wordSize);
  };
}

function seriesTable(metric: Labelled, { context, bounds }: Shared, width: number): SeriesTable {
  const readLabels = createLabelReader(metric.labels, context, bounds.losses);
  return createSeriesTable(labelBytes(metric), width, readLabels, () => context.generation(), bounds);
}

/** A view of the rows, made anew by each who goes through them. No generator, which takes a tenth more time. */
function seriesOf<Series>(
  table: SeriesTable,
  view: (labels: string, row: number) => Series,
): Iterable<Series> {
  return {
    [Symbol.iterator]() {
      let index = 0;
      return {
        next() {
          for (; index < table.labels.length; index++) {
            const labels = table.labels[index];
            if (labels !== undefined) return { done: false, value: view(labels, index++ * table.width) };
          }
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function familyReader(family: Family, table: SeriesTable, addValue: AddValue): FamilyReader {
  return {
    read({ count, keys, values, keySize, valueSize, copies, departed = 0 }) {
      const keyView = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
      const valueView = new DataView(values.buffer, values.byteOffset, values.byteLength);
      table.beginRead();
      const end = tellsPresent.has(family.type) ? count - departed : count;
      for (let entry = 0; entry < end; entry++) {
        const key = entry * keySize;
        const row = table.find(keys, key);
        if (row === none) continue;
        const { numbers } = table;
        for (let copy = entry * copies; copy < (entry + 1) * copies; copy++)
          addValue(numbers, row, keyView, key, valueView, copy * valueSize);
      }
      table.endRead();
      return family;
    },
    close: table.close,
  };
}
