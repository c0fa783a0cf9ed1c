import { addTo, apart, bucketIncrease, increase, isCounter, isHistogram } from './rates.ts';
import type { Family, Labels, Scrape } from './scrape.ts';

/** A scrape and when it was made, as Unix time in seconds. */
export interface Reading {
  at: number;
  scrape: Scrape;
}

/** The course of a family, a number for each of the times; null where it is not known. */
export interface Course {
  /** By container: of counters events a second, of others the value. */
  lines: Map<string, (number | null)[]>;
  /** Of histograms, by container: events a second in each bucket. */
  columns: Map<string, (number[] | null)[]>;
}

export interface History {
  /** Unix times in seconds, ascending. */
  times: number[];
  courses: ReadonlyMap<string, Course>;
  latest: Reading | undefined;
  /** What the latest reading is compared with where a single interval says little: up to `window` seconds older. */
  earlier: Reading | undefined;
  /** Adds a reading that goes on from the one before. */
  add(reading: Reading): void;
  /** Forgets what the next reading would be compared with: it begins anew, after a gap in each line. */
  breakOff(): void;
}

/** Points of a plot: five minutes of a scrape every three seconds. */
const maxPoints = 100;
/** Seconds that numbers in tables are of, once they are known for so long. */
const window = 60;
/** Series of a gauge that get a line each, whatever their labels; more are added up by container. */
const fewSeries = 8;

/** What a series without the label of a container is shown as. */
export const wholePod = 'pod';

export function containerOf(labels: Labels): string {
  return labels.container || wholePod;
}

/** Labels that are the same on every series, for they tell which pod it is. */
const ofPod = /^(namespace|pod|node|pod_label_.*)$/;

/** The labels that tell the series of a family apart, less the container. */
export function ownLabels(labels: Labels): [string, string][] {
  return Object.entries(labels).filter(([name]) => name !== 'container' && !ofPod.test(name));
}

export function createHistory(): History {
  const times: number[] = [];
  const courses = new Map<string, Course>();
  /** Readings at least half a window apart, the oldest first. */
  let marks: Reading[] = [];
  let previous: Reading | undefined;

  function point<T>(track: Map<string, (T | null)[]>, values: ReadonlyMap<string, T | null>): void {
    for (const key of values.keys())
      if (!track.has(key)) track.set(key, new Array(times.length - 1).fill(null));
    for (const [key, course] of track) {
      course.push(values.get(key) ?? null);
      if (course.length > maxPoints) course.shift();
      if (!values.has(key) && course.every((value) => value === null)) track.delete(key);
    }
  }

  function tick(at: number, scrape: Scrape, seconds: number | undefined): void {
    times.push(at);
    for (const family of scrape.values())
      if (!courses.has(family.name)) courses.set(family.name, { lines: new Map(), columns: new Map() });
    for (const [name, { lines, columns }] of courses) {
      const family = scrape.get(name);
      const before = previous?.scrape.get(name);
      point(lines, family ? linesOf(family, before, seconds) : new Map());
      point(columns, family ? columnsOf(family, before, seconds) : new Map());
      if (!family && lines.size === 0 && columns.size === 0) courses.delete(name);
    }
    if (times.length > maxPoints) times.shift();
  }

  return {
    times,
    courses,
    get latest() {
      return previous;
    },
    get earlier() {
      return marks[0];
    },
    add(reading) {
      const { at, scrape } = reading;
      tick(at, scrape, previous && at - previous.at);
      previous = reading;
      const last = marks.at(-1);
      if (!last || at - last.at >= window / 2) marks.push(reading);
      marks = marks.filter((_, index) => index === marks.length - 1 || at - marks[index + 1]!.at < window);
    },
    breakOff() {
      if (!previous) return;
      tick(previous.at + 0.001, new Map(), undefined);
      previous = undefined;
      marks = [];
    },
  };
}

/** Null where a counter has nothing to be compared with. */
function linesOf(
  family: Family,
  before: Family | undefined,
  seconds: number | undefined,
): Map<string, number | null> {
  const sums = new Map<string, number | null>();
  const apart = !isCounter(family) && !isHistogram(family) && family.series.size <= fewSeries;
  for (const [key, { labels, value }] of family.series) {
    const name = apart ? nameOf(labels) : containerOf(labels);
    if (!isCounter(family) && !isHistogram(family)) sums.set(name, (sums.get(name) ?? 0) + value);
    else if (seconds === undefined) sums.set(name, null);
    else sums.set(name, (sums.get(name) ?? 0) + increase(before?.series.get(key)?.value, value) / seconds);
  }
  return sums;
}

/** `web`, or with its other labels `web type=anon`. */
function nameOf(labels: Labels): string {
  const own = ownLabels(labels).map(([name, value]) => `${name}=${value}`);
  return [containerOf(labels), ...own].join(' ');
}

function columnsOf(
  family: Family,
  before: Family | undefined,
  seconds: number | undefined,
): Map<string, number[] | null> {
  const columns = new Map<string, number[] | null>();
  if (!isHistogram(family)) return columns;
  for (const [key, series] of family.series) {
    const container = containerOf(series.labels);
    const column = columns.get(container) ?? [];
    columns.set(container, seconds === undefined ? null : column);
    if (seconds === undefined) continue;
    const counts = apart(bucketIncrease(before?.series.get(key), series));
    addTo(
      column,
      counts.map((count) => count / seconds),
    );
  }
  return columns;
}
