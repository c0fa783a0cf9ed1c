import { parse } from 'yaml';
import { fail } from './checks.ts';
import { type MetricSpec, readMetricSpec } from './metric-spec.ts';

const limits = { specBytes: 256 * 1024, aliases: 1000 } as const;

/**
 * Reads a metric spec as people write it; see readMetricSpec. In a file of its own because the YAML parser
 * takes 2 MiB of memory, and the sidecar needs none for the built-in probes.
 */
export function parseMetricSpec(yaml: string, source: string): MetricSpec {
  return readMetricSpec(parseYaml(yaml, source), source);
}

/** The values of a YAML document, with aliases and merge keys resolved. */
export function parseYaml(yaml: string, source: string): unknown {
  if (Buffer.byteLength(yaml) > limits.specBytes)
    fail(source, `is larger than ${limits.specBytes} bytes, the most a metric spec may have`);
  try {
    return parse(yaml, { merge: true, logLevel: 'error', maxAliasCount: limits.aliases });
  } catch (error) {
    const [summary] = String((error as Error).message).split('\n');
    return fail(source, `is not valid YAML: ${summary?.replace(/:$/, '')}`);
  }
}
