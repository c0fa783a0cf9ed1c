import { parse } from 'yaml';
import { clip, fail } from './checks.ts';
import { type MetricSpec, readMetricSpec, specLimits } from './metric-spec.ts';

const limits = {
  aliases: 1000,
  /** Values inside each other; those of a spec are nine deep. */
  depth: 32,
  /** About as many bytes as the spec has as JSON, where an alias is as large as what it repeats. */
  resolvedBytes: 1024 * 1024,
  messageLength: 200,
} as const;

/**
 * Reads a metric spec as people write it; see readMetricSpec. In a file of its own because the YAML parser
 * takes 2 MiB of memory, and the sidecar needs none for the built-in probes.
 */
export function parseMetricSpec(yaml: string, source: string): MetricSpec {
  return readMetricSpec(parseYaml(yaml, source), source);
}

/**
 * The values of a YAML document, with aliases and merge keys resolved. What comes back is bounded, the memory that the
 * parser takes on the way is not: see read-spec.ts.
 */
export function parseYaml(yaml: string, source: string): unknown {
  if (Buffer.byteLength(yaml) > specLimits.bytes)
    fail(source, `is larger than ${specLimits.bytes} bytes, the most a metric spec may have`);
  const value = parseDocument(yaml, source);
  const bytes = resolvedBytes(value, limits.resolvedBytes, limits.depth);
  if (bytes > limits.resolvedBytes)
    fail(source, `is larger than ${limits.resolvedBytes} bytes once its aliases are resolved`);
  if (Number.isNaN(bytes)) fail(source, `is nested more than ${limits.depth} levels deep`);
  return value;
}

function parseDocument(yaml: string, source: string): unknown {
  try {
    return parse(yaml, { merge: true, logLevel: 'error', maxAliasCount: limits.aliases });
  } catch (error) {
    const [summary = ''] = String((error as Error).message).split('\n');
    return fail(source, `is not valid YAML: ${clip(summary.replace(/:$/, ''), limits.messageLength)}`);
  }
}

/** Bytes of a value: not much more than `most` when it is larger, NaN when it is nested deeper than `depth` before that. */
function resolvedBytes(value: unknown, most: number, depth: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  if (depth === 0) return Number.NaN;
  let bytes = 2;
  for (const [key, item] of Object.entries(value)) {
    bytes += 4 + (Array.isArray(value) ? 0 : key.length) + resolvedBytes(item, most - bytes, depth - 1);
    if (!(bytes <= most)) break;
  }
  return bytes;
}
