import type { Registry } from 'prom-client';
import type { LabelSpec } from '../../sidecar/contract/label-spec.ts';
import type { Metric } from '../../sidecar/contract/metric-spec.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { createOwnMetrics } from '../../sidecar/metrics.ts';
import { builtinProbe } from '../../sidecar/source.ts';
import { createMetrics } from '../../webhook/metrics.ts';
import { createMonitorMetrics } from '../../webhook/monitors/metrics.ts';

/** What follows this line in docs/metrics.md is made by `npm run build:docs`. */
const mark =
  '<!-- From here on `npm run build:docs` has written this from the metric specs and the code. -->\n';

/** The document with its tables as the specs and the code have the metrics now. */
export async function withMetricTables(document: string): Promise<string> {
  const [head] = document.split(mark);
  const probes = builtinProbes.map((name) => {
    const rows = builtinProbe(name).spec!.metrics.map(rowOfMetric);
    return `## ${name}\n\nMore on this probe: [${name}](probes/${name}.md).\n\n${table(rows)}`;
  });
  const sidecar = createOwnMetrics({
    status: { settled: true, probes: [] },
    read: () => [],
    probes: () => [],
    containers: () => [],
    loadErrors: new Map(),
    podLabels: () => ({}),
    close: async () => {},
  });
  const { registry } = createMetrics();
  createMonitorMetrics(registry, { waiting: () => 0, apart: () => 0 });
  return [
    `${head}${mark}`,
    ...probes,
    `## The sidecar about itself\n\nThese have \`container="bpf-sidecar"\`.\n\n${table(await rowsOf(sidecar.registry))}`,
    `## The webhook about itself\n\nThe webhook serves these on its own port, \`/metrics\`, over HTTPS.\n\n${table(await rowsOf(registry))}`,
  ].join('\n');
}

/** Name, type, labels, meaning. */
type RowCells = readonly [string, string, string, string];

function table(rows: readonly RowCells[]): string {
  return ['| Metric | Type | Labels | Meaning |', '| --- | --- | --- | --- |', ...rows.map(line)]
    .join('\n')
    .concat('\n');
}

function line([name, type, labels, meaning]: RowCells): string {
  return `| \`${name}\` | ${type} | ${labels} | ${meaning.replaceAll('|', '\\|')} |`;
}

function rowOfMetric(metric: Metric): RowCells {
  return [metric.name, metric.type, (metric.labels ?? []).map(describeLabel).join(', '), metric.help];
}

/** With its values, where it has only a few. */
function describeLabel({ name, decoders }: LabelSpec): string {
  const values = decoders.flatMap((decoder) =>
    decoder.name === 'static_map' && !decoder.allowUnknown ? [...new Set(decoder.staticMap.values())] : [],
  );
  if (values.length === 0 || values.length > 8) return `\`${name}\``;
  return `\`${name}\` (${values.map((value) => `\`${value}\``).join(', ')})`;
}

async function rowsOf(registry: Registry): Promise<RowCells[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name, help, type }) => {
    const labelNames =
      (registry.getSingleMetric(name) as unknown as { labelNames?: string[] })?.labelNames ?? [];
    const labels = labelNames.map((label) => `\`${label}\``).join(', ');
    return [name, String(type), labels, help];
  });
}
