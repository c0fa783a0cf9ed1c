import type { Family, HistogramFamily, ScalarSeries } from '../series/family.ts';
import { renderLabels } from '../series/labels.ts';
import { createFormat } from './format.ts';
import type { Page } from './page.ts';
import { type Dialect, joinLabels, renderNumber, writeSamples } from './samples.ts';

const dialect: Dialect = { renderBound: renderNumber, created: false, exemplars: false };

/** What the types of OpenMetrics are in this format, where they are not called the same. */
const types: Partial<Record<Family['type'], string>> = {
  unknown: 'untyped',
  info: 'gauge',
  stateset: 'gauge',
};

/** The text format of Prometheus, version 0.0.4. A family without series is left out. */
export const textFormat = createFormat('text/plain; version=0.0.4; charset=utf-8', writeFamily, '');

function* writeFamily(page: Page, family: Family, constantLabels: string): Generator<void> {
  if (family.type === 'gaugehistogram')
    for (const part of splitGaugeHistogram(family)) yield* writePlain(page, part, constantLabels);
  else yield* writePlain(page, family, constantLabels);
}

function* writePlain(page: Page, family: Family, constantLabels: string): Generator<void> {
  const { name, help } = family;
  const type = types[family.type] ?? family.type;
  page.write(`${help && `# HELP ${name} ${escapeHelp(help)}\n`}# TYPE ${name} ${type}\n`);
  yield* writeSamples(page, family, constantLabels, dialect);
}

/**
 * A gauge histogram as the three families that its samples are without a type of their own. The buckets are
 * untyped, because linters take a bound on a gauge for a mistake.
 */
function splitGaugeHistogram({ name, help, bounds, series }: HistogramFamily): Family[] {
  const buckets: ScalarSeries[] = [];
  const counts: ScalarSeries[] = [];
  const sums: ScalarSeries[] = [];
  const pairs = [...bounds, Number.POSITIVE_INFINITY].map((bound) =>
    renderLabels([['le', renderNumber(bound)]]),
  );
  for (const { labels, counts: counted, sum } of series) {
    let count = 0;
    pairs.forEach((pair, index) => {
      count += counted[index] ?? 0;
      buckets.push({ labels: joinLabels(labels, pair), value: count });
    });
    counts.push({ labels, value: count });
    sums.push({ labels, value: sum });
  }
  return [
    { type: 'unknown', name: `${name}_bucket`, help, series: buckets },
    { type: 'gauge', name: `${name}_gsum`, help, series: sums },
    { type: 'gauge', name: `${name}_gcount`, help, series: counts },
  ];
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
