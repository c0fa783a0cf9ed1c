export type Labels = Readonly<Record<string, string>>;

/** What the text format 0.0.4 says of one scrape, by family. */
export type Scrape = ReadonlyMap<string, Family>;

export interface Family {
  name: string;
  help: string;
  type: string;
  /** Of a histogram: upper bounds, ascending, the last one infinite. */
  bounds: number[];
  /** By their labels as they are written. */
  series: Map<string, Series>;
}

export interface Series {
  labels: Labels;
  /** Of a histogram, how many events. */
  value: number;
  /** Of a histogram: events up to each bound. */
  buckets: number[];
  sum: number;
}

/** What a sample's name and labels mean, which is the same in each scrape. */
interface Place {
  name: string;
  key: string;
  labels: Labels;
  bound: number | undefined;
}

/**
 * Reads scrapes of one sidecar one after the other: the labels of a sample that the last one had are not read again, for
 * there may be 100,000. The reader throws an Error that gives a line that is no sample.
 */
export function createReader(): (text: string) => Scrape {
  let before = new Map<string, Place>();
  return (text) => {
    const places = new Map<string, Place>();
    const scrape = new Map<string, Family>();
    const familyOf = (name: string) => {
      let family = scrape.get(name);
      if (!family) {
        family = { name, help: '', type: 'untyped', bounds: [], series: new Map() };
        scrape.set(name, family);
      }
      return family;
    };
    let current: Family | undefined;
    for (const line of lines(text)) {
      if (line.startsWith('#')) {
        const [, what, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
        if (what === undefined) continue;
        current = familyOf(name);
        if (what === 'HELP') current.help = unescaped(rest);
        else current.type = rest;
        continue;
      }
      const end = line.lastIndexOf('} ') + 1 || line.indexOf(' ');
      const head = line.slice(0, end);
      const place = before.get(head) ?? readPlace(head, line);
      places.set(head, place);
      if (!current || !belongs(place.name, current)) current = familyOf(place.name);
      add(current, place, readNumber(line.slice(end + 1).split(' ')[0]!));
    }
    before = places;
    return scrape;
  };
}

function* lines(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf('\n', start);
    const end = found === -1 ? text.length : found;
    if (end > start) yield text.slice(start, end);
    start = end + 1;
  }
}

const suffixes: Partial<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

function belongs(sample: string, { name, type }: Family): boolean {
  return sample.startsWith(name) && (suffixes[type] ?? ['']).includes(sample.slice(name.length));
}

function readPlace(head: string, line: string): Place {
  const [, name, pairs = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?$/s.exec(head) ?? [];
  if (name === undefined) throw new Error(`a line of /metrics is no sample: ${line.slice(0, 200)}`);
  const labels: Record<string, string> = {};
  let key = '';
  let bound: number | undefined;
  for (const [pair, label, value] of pairs.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/gs)) {
    if (label === 'le') bound = readNumber(value!);
    else {
      labels[label!] = unescaped(value!);
      key += `${pair},`;
    }
  }
  return { name, key, labels, bound };
}

function add(family: Family, { name, key, labels, bound }: Place, value: number): void {
  let series = family.series.get(key);
  if (!series) {
    series = { labels, value: 0, buckets: [], sum: 0 };
    family.series.set(key, series);
  }
  const suffix = name.slice(family.name.length);
  if (suffix === '_sum') series.sum = value;
  else if (suffix === '_bucket' && bound !== undefined) {
    if (series.buckets.length === family.bounds.length) family.bounds.push(bound);
    series.buckets.push(value);
  } else series.value = value;
}

function readNumber(text: string): number {
  return /^[+-]Inf$/.test(text) ? Number(`${text}inity`) : Number(text);
}

function unescaped(text: string): string {
  return text.includes('\\') ? text.replace(/\\(.)/gs, (_, c) => (c === 'n' ? '\n' : c)) : text;
}
