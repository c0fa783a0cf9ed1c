import type { Bounds } from './bounds.ts';
import type { LabelReader } from './key-labels.ts';

/** A series and the number of the read that last saw it. */
export type Cached<Series> = Series & { lastRead: number };

type KeyMap<Series> = Map<string, Cached<Series> | null>;

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
  /** Null for a key that a decoder drops. */
  let byKey: KeyMap<Series> = new Map();
  /** The keys before those that this read finds, when some of them have gone. */
  let formerKeys: KeyMap<Series> | undefined;
  const byLabels = new Map<string, Cached<Series>>();
  const overflow = new Map<string, 'familyFull' | 'sidecarFull'>();
  let labelGeneration = generation();
  let read = 0;
  let keysSeen = 0;
  let seriesSeen = 0;

  /** Null when the key is dropped, undefined when its series has no room. */
  function findKey(keys: Buffer, start: number): Cached<Series> | null | undefined {
    const bytes = keys.toString('latin1', start, start + keyLength);
    keysSeen++;
    const known = byKey.get(bytes);
    if (known !== undefined && isKept(known)) return known;
    let series = formerKeys?.get(bytes);
    if (series === undefined || !isKept(series)) {
      const labels = decode(keys.subarray(start, start + keyLength));
      series = labels === undefined ? null : findSeries(labels);
    }
    // Without room it is asked again in the next read.
    if (series !== undefined) byKey.set(bytes, series);
    else keysSeen--;
    return series;
  }

  /** Not so for a series that the last read did not see: it is forgotten, though its key may have stayed. */
  function isKept(series: Cached<Series> | null): boolean {
    return series === null || series.lastRead >= read - 1;
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
        byKey = new Map();
      } else if (byKey.size > keysSeen) {
        formerKeys = byKey;
        byKey = new Map();
      }
      read++;
      keysSeen = 0;
      seriesSeen = 0;
    },
    find(keys, start) {
      const series = findKey(keys, start);
      if (series === undefined || series === null) return undefined;
      if (series.lastRead !== read) {
        series.lastRead = read;
        seriesSeen++;
        reset(series);
      }
      return series;
    },
    found: (keys, start) => byKey.get(keys.toString('latin1', start, start + keyLength)) ?? undefined,
    endRead() {
      const before = byLabels.size;
      formerKeys = undefined;
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
