/** One line of a scrape. */
export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** All samples of a scrape, and when it was made, in milliseconds of a clock that only goes forward. */
export interface Scrape {
  at: number;
  samples: Sample[];
  text: string;
}

/** Asks for the Prometheus text format and reads it. */
export async function scrape(url: string): Promise<Scrape> {
  const response = await fetch(url, { headers: { accept: 'text/plain;version=0.0.4' } });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`${url} answers with status ${response.status}: ${text.trim().slice(0, 300)}`);
  return { at: performance.now(), samples: parse(text), text };
}

/** Reads the Prometheus text format 0.0.4, of which comments and timestamps are left out. */
export function parse(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, labels = '', value] = line.match(/^([^\s{]+)(?:\{(.*)\})?\s+(\S+)/) ?? [];
      if (name === undefined || value === undefined)
        throw new Error(`a scrape has a line that is no sample: ${line.slice(0, 200)}`);
      return { name, labels: parseLabels(labels), value: number(value) };
    });
}

function parseLabels(text: string): Record<string, string> {
  const pairs = text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g);
  return Object.fromEntries(
    [...pairs].map(([, name, value]) => [
      name,
      value!.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character)),
    ]),
  );
}

function number(text: string): number {
  return /^[+-]Inf$/.test(text) ? Number(`${text}inity`) : Number(text);
}

/** The head of a family in a scrape and its greatest sample, for people to read. */
export function excerpt(text: string, family: string): string[] {
  const lines = text.split('\n');
  const value = (line: string) => Number(line.slice(line.lastIndexOf(' ')));
  const greatest = lines
    .filter((line) => line.startsWith(`${family}{`))
    .sort((a, b) => value(b) - value(a))
    .slice(0, 1);
  return [
    ...lines.filter((line) => line.startsWith(`# HELP ${family} `) || line.startsWith(`# TYPE ${family} `)),
    ...greatest,
  ];
}
