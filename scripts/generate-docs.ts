/**
 * Writes anew what is made from the code: docs/metric-spec.schema.json, the tables of docs/metrics.md and that of the chart's
 * README, and the chart's dashboards.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { metricSpecSchema } from '../sidecar/contract/metric-spec-schema.ts';
import { dashboards } from './dashboards/dashboards.ts';
import { grafanaJson } from './dashboards/grafana.ts';
import { withChartValues } from './docs/chart-values.ts';
import { withMetricTables } from './docs/metric-tables.ts';

const file = (name: string) => join(import.meta.dirname, '../docs', name);

writeFileSync(file('metric-spec.schema.json'), `${JSON.stringify(metricSpecSchema(), null, 2)}\n`);
writeFileSync(file('metrics.md'), withMetricTables(readFileSync(file('metrics.md'), 'utf8')));

const chart = (name: string) => join(import.meta.dirname, '../charts/bpf-sidecar', name);
writeFileSync(
  chart('README.md'),
  withChartValues(readFileSync(chart('README.md'), 'utf8'), readFileSync(chart('values.yaml'), 'utf8')),
);

mkdirSync(chart('dashboards'), { recursive: true });
for (const dashboard of dashboards)
  writeFileSync(
    chart(`dashboards/${dashboard.name}.json`),
    `${JSON.stringify(grafanaJson(dashboard), null, 2)}\n`,
  );
