import { readFileSync } from 'node:fs';
import { patience, readingOption, runApart } from './apart.ts';
import { attempt } from './attempt.ts';
import { type MetricSpec, readMetricSpec } from './contract/metric-spec.ts';

/** What the reading process writes: the spec without YAML's shorthands, or what is wrong with it. */
type Reading = { spec: unknown } | { problem: string };

/**
 * Reads a user's metric spec, which another process has parsed and checked first: 256 KiB of YAML can take more memory than
 * the sidecar has, and V8 then ends the process. Rejects with an Error of one sentence.
 */
export async function readSpecApart(
  yaml: Buffer,
  source: string,
  script = process.argv[1]!,
): Promise<MetricSpec> {
  const { output, signal } = await runApart([`--${readingOption}=${source}`], yaml, script);
  if (signal !== null)
    throw new Error(
      `${source}: was given up: reading it took too much memory or more than ${patience / 1000} s (${signal}); make it smaller or less nested`,
    );
  const reading: Reading = JSON.parse(output.toString());
  if ('problem' in reading) throw new Error(reading.problem);
  return readMetricSpec(reading.spec, source);
}

/** What the reading process does. */
export async function runReading(source: string): Promise<number> {
  const { parseYaml } = await import('./contract/metric-spec-yaml.ts');
  const reading = attempt((): Reading => {
    const value = parseYaml(readFileSync(0).toString(), source);
    readMetricSpec(value, source);
    return { spec: withoutExtensions(value as Record<string, unknown>) };
  });
  const written = reading instanceof Error ? { problem: reading.message } : reading;
  process.stdout.write(JSON.stringify(written));
  return 0;
}

/** What is there only to hold anchors is of no more use. */
function withoutExtensions(spec: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !key.startsWith('x-')));
}
