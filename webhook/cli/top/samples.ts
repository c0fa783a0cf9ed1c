/** One line of a scrape. */
export interface Sample {
  name: string;
  labels: Labels;
  value: number;
}

/** All samples of a scrape, and when it was made, in milliseconds of a clock that only goes forward. */
export interface Reading {
  at: number;
  samples: readonly Sample[];
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

export type Labels = Readonly<Record<string, string>>;

/** The sum of the samples of a name that have these labels. */
export function sum(samples: readonly Sample[], name: string, labels: Labels = {}): number {
  return samples
    .filter((sample) => sample.name === name && hasLabels(sample, labels))
    .reduce((total, { value }) => total + value, 0);
}

export function hasLabels(sample: Sample, labels: Labels): boolean {
  return Object.entries(labels).every(([name, value]) => sample.labels[name] === value);
}
