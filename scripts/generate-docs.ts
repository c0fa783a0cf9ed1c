/**
 * Writes anew what the documents have from the code: docs/metric-spec.schema.json, the tables of docs/metrics.md and that of
 * the chart's README.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { metricSpecSchema } from '../sidecar/contract/metric-spec-schema.ts';
import { withChartValues } from './docs/chart-values.ts';
import { withMetricTables } from './docs/metric-tables.ts';

const file = (name: string) => join(import.meta.dirname, '../docs', name);

writeFileSync(file('metric-spec.schema.json'), `${JSON.stringify(metricSpecSchema(), null, 2)}\n`);
writeFileSync(file('metrics.md'), await withMetricTables(readFileSync(file('metrics.md'), 'utf8')));

const chart = (name: string) => join(import.meta.dirname, '../charts/bpf-sidecar', name);
writeFileSync(
  chart('README.md'),
  withChartValues(readFileSync(chart('README.md'), 'utf8'), readFileSync(chart('values.yaml'), 'utf8')),
);
