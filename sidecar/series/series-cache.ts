import type { Bounds } from './bounds.ts';
import type { LabelReader } from './key-labels.ts';

/** A series and the number of the read that last saw it. */
export type Cached<Series> = Series & { lastRead: number };

/** The series of one family, found by the bytes of the map's key and kept from read to read. */
export interface SeriesCache<Series> {
  beginRead(): void;
  /**
   * The series that a key belongs to; keys with the same labels share one. Undefined when a decoder drops the
   * key, or when there is no room for it.
   */
  find(keys: Buffer, start: number): Series | undefined;
  /** The series of a key that this read has found. */
  found(keys: Buffer, start: number): Series | undefined;
  /** Forgets the keys and series that this read did not see. */
  endRead(): void;
  all: Iterable<Series>;
  /** Gives the room of its series back. */
  close(): void;
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
  { seriesOfFamily, room, losses }: Bounds,
): SeriesCache<Series> {
  const byKey = new Map<string, CachedKey<Series>>();
  const byLabels = new Map<string, Cached<Series>>();
  const overflow = new Map<string, 'familyFull' | 'sidecarFull'>();
  let labelGeneration = generation();
  let read = 0;
  let keysSeen = 0;
  let seriesSeen = 0;

  function findKey(keys: Buffer, start: number): CachedKey<Series> {
    const bytes = keys.toString('latin1', start, start + keyLength);
    let key = byKey.get(bytes);
    if (key === undefined) {
      const labels = decode(keys.subarray(start, start + keyLength));
      key = { labels, series: undefined, lastRead: 0 };
      byKey.set(bytes, key);
    }
    if (key.lastRead !== read) {
      key.lastRead = read;
      keysSeen++;
    }
    return key;
  }

  /** Undefined also for a key that a decoder cannot read, which must not take the others with it. */
  function decode(key: Buffer): string | undefined {
    try {
      return readLabels(key);
    } catch {
      losses.decodeErrors++;
      return undefined;
    }
  }

  function findSeries(labels: string): Cached<Series> | undefined {
    let series = byLabels.get(labels);
    if (series !== undefined) return series;
    const familyFull = byLabels.size >= seriesOfFamily;
    if (familyFull || !room.take()) {
      overflow.set(labels, familyFull ? 'familyFull' : 'sidecarFull');
      return undefined;
    }
    series = create(labels);
    byLabels.set(labels, series);
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
      if (series === undefined) return undefined;
      if (series.lastRead !== read) {
        series.lastRead = read;
        seriesSeen++;
        reset(series);
      }
      return series;
    },
    found: (keys, start) => byKey.get(keys.toString('latin1', start, start + keyLength))?.series,
    endRead() {
      const before = byLabels.size;
      forgetUnseen(byKey, keysSeen, read);
      forgetUnseen(byLabels, seriesSeen, read);
      room.give(before - byLabels.size);
      for (const reason of overflow.values()) losses[reason]++;
      overflow.clear();
    },
    all: { [Symbol.iterator]: () => byLabels.values() },
    close() {
      room.give(byLabels.size);
      byKey.clear();
      byLabels.clear();
    },
  };
}

function forgetUnseen(cache: Map<string, { lastRead: number }>, seen: number, read: number): void {
  if (cache.size === seen) return;
  for (const [key, { lastRead }] of cache) if (lastRead !== read) cache.delete(key);
}
