import { fail } from './checks.ts';

/** Two metrics must not write a sample or name a family alike, in either exposition format. */
export function refuseClashes(metrics: readonly { type: string; name: string }[], at: string): void {
  const owners = new Map<string, string>();
  for (const { type, name } of metrics)
    for (const taken of namesOf(type, name)) {
      const owner = owners.get(taken);
      if (owner !== undefined)
        fail(at, `the names ${owner} and ${name} clash on ${taken}, give one of them another name`);
      owners.set(taken, name);
    }
}

/** What the names of samples have after that of the metric, for types whose samples have several names. */
const suffixes: Partial<Record<string, string[]>> = {
  histogram: ['_bucket', '_sum', '_count', '_created'],
  gaugehistogram: ['_bucket', '_gsum', '_gcount'],
  summary: ['_sum', '_count', '_created'],
};

/** All names that families and samples of a metric have in either format. */
export function namesOf(type: string, name: string): string[] {
  if (type === 'counter' && name.endsWith('_total')) {
    const base = name.slice(0, -'_total'.length);
    return [name, base, `${base}_created`];
  }
  if (type === 'info') return [name, name.slice(0, -'_info'.length)];
  return [name, ...(suffixes[type] ?? []).map((suffix) => name + suffix)];
}
