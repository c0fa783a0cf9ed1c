import type { LabelReader } from './key-labels.ts';

/** A family may have this many series: more would hurt the Prometheus that stores them. */
const maxSeries = 10_000;

/** A series and the number of the read that last saw it. */
export type Cached<Series> = Series & { lastRead: number };

/** The series of one family, found by the bytes of the map's key and kept from read to read. */
export interface SeriesCache<Series> {
  beginRead(): void;
  /**
   * The series that a key belongs to; keys with the same labels share one. Undefined when a decoder drops the
   * key, or when the family is full.
   */
  find(keys: Buffer, start: number): Series | undefined;
  /** Forgets the keys and series that this read did not see. */
  endRead(): void;
  all: Iterable<Series>;
  /** Series left out because the family was full, added up over the reads. */
  dropped(): number;
}

interface CachedKey<Series> {
  labels: string | undefined;
  series: Cached<Series> | undefined;
  lastRead: number;
}

/**
 * `keyLength` is the bytes of a key that hold labels. `reset` sets a series to zero: called once for each
 * that a read sees, before its values are added. Labels are read again when `generation` changes.
 */
export function createSeriesCache<Series>(
  keyLength: number,
  readLabels: LabelReader,
  generation: () => number,
  create: (labels: string) => Cached<Series>,
  reset: (series: Series) => void,
): SeriesCache<Series> {
  const byKey = new Map<string, CachedKey<Series>>();
  const byLabels = new Map<string, Cached<Series>>();
  const overflow = new Set<string>();
  let labelGeneration = generation();
  let read = 0;
  let keysSeen = 0;
  let seriesSeen = 0;
  let dropped = 0;

  function findKey(keys: Buffer, start: number): CachedKey<Series> {
    const bytes = keys.toString('latin1', start, start + keyLength);
    let key = byKey.get(bytes);
    if (key === undefined) {
      const labels = readLabels(keys.subarray(start, start + keyLength));
      key = { labels, series: undefined, lastRead: 0 };
      byKey.set(bytes, key);
    }
    if (key.lastRead !== read) {
      key.lastRead = read;
      keysSeen++;
    }
    return key;
  }

  function findSeries(labels: string): Cached<Series> | undefined {
    let series = byLabels.get(labels);
    if (series === undefined && byLabels.size < maxSeries) {
      series = create(labels);
      byLabels.set(labels, series);
    }
    return series;
  }

  return {
    beginRead() {
      if (generation() !== labelGeneration) {
        labelGeneration = generation();
        byKey.clear();
      }
      read++;
      keysSeen = 0;
      seriesSeen = 0;
    },
    find(keys, start) {
      const key = findKey(keys, start);
      if (key.labels === undefined) return undefined;
      key.series ??= findSeries(key.labels);
      const { series } = key;
      if (series === undefined) {
        overflow.add(key.labels);
        return undefined;
      }
      if (series.lastRead !== read) {
        series.lastRead = read;
        seriesSeen++;
        reset(series);
      }
      return series;
    },
    endRead() {
      forgetUnseen(byKey, keysSeen, read);
      forgetUnseen(byLabels, seriesSeen, read);
      dropped += overflow.size;
      overflow.clear();
    },
    all: { [Symbol.iterator]: () => byLabels.values() },
    dropped: () => dropped,
  };
}

function forgetUnseen(cache: Map<string, { lastRead: number }>, seen: number, read: number): void {
  if (cache.size === seen) return;
  for (const [key, { lastRead }] of cache) if (lastRead !== read) cache.delete(key);
}
