import type { ProbeReport } from '../report.ts';
import { containerOf, type History, ownLabels } from './history.ts';
import { quantile } from './quantile.ts';
import { addTo, bucketIncrease, increase, isCounter, isHistogram } from './rates.ts';
import type { Family, Scrape, Series } from './scrape.ts';
import { format, formatRate, type Unit, unitOf } from './units.ts';

/** Lines of a plot, and rows of a table: what is more is counted and not shown. */
export const most = 8;

/** What is shown of a family. */
export interface Card {
  name: string;
  title: string;
  /** What its help says after that. */
  explanation: string;
  unit: Unit;
  times: readonly number[];
  plot: Lines | HeatMap;
  tables: Table[];
  /** What the plot shows, for who does not see it. */
  alternative: string;
}

export interface Lines {
  kind: 'lines';
  lines: Line[];
  /** As the axis and the alternative write numbers. */
  format(value: number | null): string;
}

export interface Line {
  name: string;
  values: readonly (number | null)[];
}

export interface HeatMap {
  kind: 'heat map';
  bounds: readonly number[];
  /** Events a second in each bucket. */
  columns: readonly (readonly number[] | null)[];
}

export interface Table {
  caption: string;
  /** Those with numbers are set flush right. */
  columns: { title: string; isNumber: boolean }[];
  rows: Row[];
  /** How many rows are left out. */
  more: number;
  /** Whether each row is a line of the plot, in the same order. */
  isLegend: boolean;
}

/** A cell is text, or a number with how it is written. */
export type Row = (string | { value: number; text: string })[];

/** What is asked for: of all containers or one, as it is now or was at one of the times. */
export interface Wish {
  container?: string | undefined;
  /** Index of the time. */
  at?: number | undefined;
}

/** The families of these names that have counted something, and the names of those that have not. */
export function sortOut(scrape: Scrape, names: readonly string[], { container }: Wish): [string[], string[]] {
  const busy = names.map((name) =>
    ['', ...apartInText]
      .flatMap((suffix) => scrape.get(name + suffix) ?? [])
      .filter((family) => chosen(family, container).some(([, { value }]) => value !== 0)),
  );
  return [busy.flat().map(({ name }) => name), names.filter((_, index) => busy[index]!.length === 0)];
}

/** A gauge histogram is three families in the text format. */
const apartInText = ['_bucket', '_gsum', '_gcount'];

/** Undefined for a family that the latest scrape does not have. */
export function cardOf(history: History, name: string, wish: Wish): Card | undefined {
  const family = history.latest?.scrape.get(name);
  const course = history.courses.get(name);
  if (!family || !course) return undefined;
  const [title, explanation] = titleOf(family);
  const unit = unitOf(name);
  const { times } = history;
  const only = <T>(track: ReadonlyMap<string, T>): [string, T][] =>
    [...track].filter(([key]) => wish.container === undefined || key.split(' ')[0] === wish.container);

  if (isHistogram(family)) {
    const tables = [containersTable(history, family, unit, wish), slowestTable(history, family, unit, wish)];
    return {
      name,
      title,
      explanation,
      unit,
      times,
      plot: {
        kind: 'heat map',
        bounds: family.bounds,
        columns: sumColumns(
          only(course.columns).map(([, c]) => c),
          times.length,
        ),
      },
      tables: tables.filter((table) => table !== undefined),
      alternative: `Heat map of ${title}. ${spoken(tables[0]!)}`,
    };
  }
  const write = isCounter(family) ? formatRate : format;
  const totals = totalsOf(family);
  const ranked = only(course.lines)
    .map(([line, values]) => ({ name: line, values }))
    .filter(({ name: line, values }) => totals.get(line) !== 0 || greatest(values) !== 0)
    .sort((a, b) => greatest(b.values) - greatest(a.values));
  const lines = ranked.slice(0, most).sort((a, b) => (a.name < b.name ? -1 : 1));
  const legend = {
    ...legendTable(lines, isCounter(family) ? totals : undefined, unit, times, wish),
    more: ranked.length - lines.length,
  };
  const labelled = labelsTable(history, family, unit, wish);
  return {
    name,
    title,
    explanation,
    unit,
    times,
    plot: { kind: 'lines', lines, format: (value) => write(value, unit) },
    tables: labelled ? [legend, labelled] : [legend],
    alternative: `Plot of ${title}. ${spoken(legend)}`,
  };
}

/** The first clause of the help, without the full stop, and the rest. */
function titleOf({ name, help }: Family): [string, string] {
  const [, title = '', rest = ''] = /^(.*?)(?:[:;] (.*))?\.?$/s.exec(help) ?? [];
  return [title || name, rest];
}

const text = (title: string) => ({ title, isNumber: false });
const number = (title: string) => ({ title, isNumber: true });

function greatest(values: readonly (number | null)[]): number {
  return values.reduce((max: number, value) => Math.max(max, value ?? 0), 0);
}

function cell(
  value: number | null | undefined,
  write: (value: number | null | undefined) => string,
): Row[number] {
  return value === null || value === undefined ? write(value) : { value, text: write(value) };
}

/** `web: now 3.2/s, most 4/s; client: …`. */
function spoken({ columns, rows, more }: Table): string {
  const told = rows.map(([name, ...cells]) => {
    const parts = cells.map(
      (c, index) => `${columns[index + 1]!.title} ${typeof c === 'string' ? c : c.text}`,
    );
    return `${name}: ${parts.join(', ')}`;
  });
  return [...told, ...(more > 0 ? [andMore(more)] : [])].join('; ');
}

export function andMore(count: number): string {
  return `and ${count.toLocaleString('en')} more`;
}

export function clock(time: number): string {
  return new Date(time * 1000).toLocaleTimeString('en-GB');
}

function chosen(family: Family, container: string | undefined): [string, Series][] {
  const all = [...family.series];
  return container === undefined ? all : all.filter(([, { labels }]) => containerOf(labels) === container);
}

/** What has been counted of each container. */
function totalsOf({ series }: Family): Map<string, number> {
  const totals = new Map<string, number>();
  for (const { labels, value } of series.values())
    totals.set(containerOf(labels), (totals.get(containerOf(labels)) ?? 0) + value);
  return totals;
}

/** A row for each line of a plot; `totals` of counters. */
function legendTable(
  lines: readonly Line[],
  totals: ReadonlyMap<string, number> | undefined,
  unit: Unit,
  times: readonly number[],
  { at }: Wish,
): Table {
  const index = at ?? times.length - 1;
  const now = at === undefined ? 'now' : clock(times[at]!);
  const write = (value: number | null | undefined) => (totals ? formatRate : format)(value, unit);
  return {
    caption: totals ? 'By container' : 'Values',
    columns: [text('container'), number(now), number('most'), ...(totals ? [number('total')] : [])],
    rows: lines.map(({ name, values }) => [
      name,
      cell(values[index], write),
      cell(values.some((value) => value !== null) ? greatest(values) : null, write),
      ...(totals ? [cell(totals.get(name), (value) => format(value, unit))] : []),
    ]),
    more: 0,
    isLegend: true,
  };
}

/** What tables are of: the time since an earlier scrape, or since the counters began where there is none yet. */
function since({ earlier, latest }: History, family: Family) {
  const seconds = earlier && latest ? latest.at - earlier.at : 0;
  const then = seconds > 0 ? earlier?.scrape.get(family.name) : undefined;
  return {
    before: (key: string) => then?.series.get(key),
    perSecond: (count: number) => (seconds > 0 ? count / seconds : undefined),
    words: seconds > 0 ? `in the last ${Math.round(seconds)} s` : 'since the sidecar began',
  };
}

function containersTable(history: History, family: Family, unit: Unit, { container }: Wish): Table {
  const { before, perSecond, words } = since(history, family);
  const sums = new Map<string, { events: number; buckets: number[] }>();
  for (const [key, series] of chosen(family, container)) {
    const name = containerOf(series.labels);
    const sum = sums.get(name) ?? { events: 0, buckets: [] };
    sums.set(name, sum);
    sum.events += series.value;
    addTo(sum.buckets, bucketIncrease(before(key), series));
  }
  const ranked = [...sums].sort(([, a], [, b]) => b.events - a.events);
  const rows = ranked.slice(0, most).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    caption: `By container, ${words}`,
    columns: [text('container'), ...['rate', 'p50', 'p90', 'p99', 'events'].map(number)],
    rows: rows.map(([name, { events, buckets }]) => [
      name,
      cell(perSecond(buckets.at(-1) ?? 0), (value) => formatRate(value, 'count')),
      ...[0.5, 0.9, 0.99].map((share) =>
        cell(quantile(share, family.bounds, buckets), (value) => format(value, unit)),
      ),
      cell(events, (value) => format(value, 'count')),
    ]),
    more: ranked.length - rows.length,
    isLegend: false,
  };
}

/** The label values with the longest durations, where there are such labels. */
function slowestTable(history: History, family: Family, unit: Unit, { container }: Wish): Table | undefined {
  const { before, perSecond, words } = since(history, family);
  return rankedTable(
    family,
    container,
    `${unit === 'seconds' ? 'Slowest' : 'Largest'} ${words}`,
    ['rate', 'p99'],
    (key, series) => {
      const buckets = bucketIncrease(before(key), series);
      const p99 = quantile(0.99, family.bounds, buckets);
      return {
        rank: p99 ?? -1,
        cells: () => [
          cell(perSecond(buckets.at(-1) ?? 0), (value) => formatRate(value, 'count')),
          cell(p99, (value) => format(value, unit)),
        ],
      };
    },
  );
}

/** The label values with the highest rates or values, where there are such labels that no line of the plot has. */
function labelsTable(history: History, family: Family, unit: Unit, { container }: Wish): Table | undefined {
  if (!isCounter(family)) {
    const lines = history.courses.get(family.name)?.lines.size ?? 0;
    if (family.series.size <= lines) return undefined;
    return rankedTable(family, container, 'Largest', ['value'], (_, { value }) => ({
      rank: value,
      cells: () => [cell(value, (v) => format(v, unit))],
    }));
  }
  const { before, perSecond, words } = since(history, family);
  return rankedTable(family, container, `Busiest ${words}`, ['rate', 'total'], (key, { value }) => {
    const rate = perSecond(increase(before(key)?.value, value));
    return {
      // Of those that rest, those that have done most.
      rank: rate || -1 / (1 + value),
      cells: () => [cell(rate, (v) => formatRate(v, unit)), cell(value, (v) => format(v, unit))],
    };
  });
}

interface Ranked {
  rank: number;
  cells(): Row;
}

function rankedTable(
  family: Family,
  container: string | undefined,
  caption: string,
  numbers: readonly string[],
  rate: (key: string, series: Series) => Ranked,
): Table | undefined {
  const all = chosen(family, container);
  const names = [...new Set(all.flatMap(([, { labels }]) => ownLabels(labels).map(([name]) => name)))];
  if (names.length === 0) return undefined;
  const ranked = all
    .map(([key, series]) => ({ labels: series.labels, ...rate(key, series) }))
    .sort((a, b) => b.rank - a.rank);
  const withContainer = ranked.some(({ labels }) => labels.container);
  const rows = ranked
    .slice(0, most)
    .map(
      ({ labels, cells }): Row => [
        ...names.map((name) => labels[name] ?? ''),
        ...(withContainer ? [containerOf(labels)] : []),
        ...cells(),
      ],
    );
  return {
    caption,
    columns: [...names, ...(withContainer ? ['container'] : [])].map(text).concat(numbers.map(number)),
    rows,
    more: ranked.length - rows.length,
    isLegend: false,
  };
}

function sumColumns(
  tracks: readonly (readonly (readonly number[] | null)[])[],
  length: number,
): (number[] | null)[] {
  return Array.from({ length }, (_, index) => {
    const there = tracks.flatMap((track) => (track[index] ? [track[index]] : []));
    if (there.length === 0) return null;
    const sum: number[] = [];
    for (const column of there) addTo(sum, column);
    return sum;
  });
}

/** The programs of a probe, with how often each runs and for how long where the kernel counts that. */
export function programsTable(history: History, { name, programs }: ProbeReport): Table {
  const { latest, earlier } = history;
  const grown = (family: string, program: string): number | undefined => {
    const seriesIn = (scrape: Scrape | undefined) =>
      [...(scrape?.get(family)?.series.values() ?? [])].find(
        ({ labels }) => labels.probe === name && labels.program === program,
      );
    const now = seriesIn(latest?.scrape);
    return now && increase(seriesIn(earlier?.scrape)?.value, now.value);
  };
  const seconds = latest && earlier ? latest.at - earlier.at : 0;
  const known = seconds > 0 && latest!.scrape.has('bpf_sidecar_program_runs_total');
  return {
    caption: 'Programs',
    columns: [
      ...['program', 'section', 'state'].map(text),
      ...(known ? ['runs', 'time for each'].map(number) : []),
    ],
    rows: programs.map((program) => {
      const runs = grown('bpf_sidecar_program_runs_total', program.name) ?? 0;
      const time = grown('bpf_sidecar_program_run_seconds_total', program.name) ?? 0;
      const cells = [
        cell(runs / seconds, (v) => formatRate(v, 'count')),
        cell(runs === 0 ? undefined : time / runs, (v) => format(v, 'seconds')),
      ];
      return [program.name, program.section, program.state, ...(known ? cells : [])];
    }),
    more: 0,
    isLegend: false,
  };
}
