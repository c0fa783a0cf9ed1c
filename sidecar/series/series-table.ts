import type { Bounds } from './bounds.ts';
import { createKeyIndex } from './key-index.ts';
import type { LabelReader } from './key-labels.ts';

/**
 * The series of one family: each has labels and a row of numbers, and is found by the bytes of the map's key. They are kept
 * from read to read, for as long as their key is in the map.
 */
export interface SeriesTable {
  beginRead(): void;
  /**
   * The row of the series that a key belongs to, at zero when this read has not found it before; keys with the same labels
   * share one. `none` when a decoder drops the key, or when there is no room for it.
   */
  find(keys: Buffer, start: number): number;
  /** The row of a key that this read has found, or `none`. */
  found(keys: Buffer, start: number): number;
  /** Forgets the keys and series that this read did not see. */
  endRead(): void;
  /** Numbers of a row. */
  readonly width: number;
  /** The rows, one after the other; another block when there are more of them. */
  readonly numbers: Float64Array;
  /** By number of the row: the labels of its series, undefined where there is none. A row begins at number times width. */
  readonly labels: readonly (string | undefined)[];
  /** Gives the room of its series back. */
  close(): void;
}

export const none = -1;
const initialRows = 16;

/**
 * `keyLength` is the bytes of a key that hold labels, `width` the numbers of a row. Labels are read again when
 * `generation` changes.
 */
export function createSeriesTable(
  keyLength: number,
  width: number,
  readLabels: LabelReader,
  generation: () => number,
  { seriesOfFamily, numbersOfFamily, room, losses }: Bounds,
): SeriesTable {
  const mostRows = Math.min(seriesOfFamily, Math.floor(numbersOfFamily / width));
  /** The read that last saw a row. */
  let lastRead = new Int32Array(initialRows);
  const rowByLabels = new Map<string, number>();
  const labelsByRow: (string | undefined)[] = [];
  /** Rows to use again, and those to be added to them once no key leads there any more. */
  const free: number[] = [];
  let quarantine: number[] = [];

  let rowByKey = createKeyIndex(keyLength);
  /** The keys before those that this read finds, when some of them have gone. */
  let former: typeof rowByKey | undefined;
  const overflow = new Map<string, 'familyFull' | 'sidecarFull'>();
  let labelGeneration = generation();
  let read = 0;
  let keysSeen = 0;
  let seriesSeen = 0;

  /** The row of a key that was not seen since its labels were last read; undefined when there is no room. */
  function newRow(keys: Buffer, start: number): number | undefined {
    const known = former?.get(keys, start);
    if (known === none) return none;
    // One that the last read did not see is forgotten.
    if (known !== undefined && lastRead[known]! >= read - 1) return known;
    const labels = decode(keys.subarray(start, start + keyLength));
    return labels === undefined ? none : rowOf(labels);
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

  function rowOf(labels: string): number | undefined {
    const known = rowByLabels.get(labels);
    if (known !== undefined) return known;
    const familyFull = rowByLabels.size >= mostRows;
    if (familyFull || !room.take()) {
      overflow.set(labels, familyFull ? 'familyFull' : 'sidecarFull');
      return undefined;
    }
    const row = free.pop() ?? labelsByRow.length;
    if (row >= lastRead.length) grow();
    lastRead[row] = 0;
    labelsByRow[row] = labels;
    rowByLabels.set(labels, row);
    return row;
  }

  function grow(): void {
    const [formerNumbers, formerReads] = [table.numbers, lastRead];
    table.numbers = new Float64Array(2 * formerNumbers.length);
    table.numbers.set(formerNumbers);
    lastRead = new Int32Array(2 * formerReads.length);
    lastRead.set(formerReads);
  }

  function forgetUnseen(): void {
    free.push(...quarantine);
    quarantine = [];
    if (rowByLabels.size === seriesSeen) return;
    for (const [labels, row] of rowByLabels) {
      if (lastRead[row] === read) continue;
      rowByLabels.delete(labels);
      labelsByRow[row] = undefined;
      quarantine.push(row);
    }
    room.give(quarantine.length);
  }

  const table = {
    beginRead() {
      if (generation() !== labelGeneration) {
        labelGeneration = generation();
        rowByKey = createKeyIndex(keyLength);
      } else if (rowByKey.size > keysSeen || quarantine.length > 0) {
        former = rowByKey;
        rowByKey = createKeyIndex(keyLength);
      }
      read++;
      keysSeen = 0;
      seriesSeen = 0;
    },
    find(keys: Buffer, start: number) {
      let row = rowByKey.get(keys, start);
      if (row === undefined) {
        row = newRow(keys, start);
        // Without room it is asked again in the next read.
        if (row === undefined) return none;
        rowByKey.add(keys, start, row);
      }
      keysSeen++;
      if (row === none) return none;
      if (lastRead[row] !== read) {
        lastRead[row] = read;
        seriesSeen++;
        const { numbers } = table;
        for (let i = row * width; i < (row + 1) * width; i++) numbers[i] = 0;
      }
      return row * width;
    },
    found(keys: Buffer, start: number) {
      const row = rowByKey.get(keys, start);
      return row === undefined || row === none ? none : row * width;
    },
    endRead() {
      former = undefined;
      forgetUnseen();
      for (const reason of overflow.values()) losses[reason]++;
      overflow.clear();
    },
    // No getter: the optimizing compiler would call it for every row.
    numbers: new Float64Array(initialRows * width),
    labels: labelsByRow,
    width,
    close() {
      room.give(rowByLabels.size);
      rowByLabels.clear();
      labelsByRow.length = 0;
      rowByKey = createKeyIndex(keyLength);
    },
  };
  return table;
}
