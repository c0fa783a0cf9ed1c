import type { Family, HistogramFamily, ScalarSeries } from '../series/family.ts';
import { renderLabels } from '../series/labels.ts';
import type { Format } from './format.ts';
import { createPage, type Page } from './page.ts';
import { type Dialect, isEmpty, joinLabels, renderNumber, writeSamples } from './samples.ts';

/** The text format of Prometheus, version 0.0.4. A family without series is left out. */
export const textFormat: Format = {
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
  render(families, constantLabels) {
    const page = createPage();
    for (const family of families) {
      if (isEmpty(family)) continue;
      if (family.type === 'gaugehistogram')
        for (const part of splitGaugeHistogram(family)) writeFamily(page, part, constantLabels);
      else writeFamily(page, family, constantLabels);
    }
    return page.toBuffer();
  },
};

const dialect: Dialect = { renderBound: renderNumber, created: false, exemplars: false };

/** What the types of OpenMetrics are in this format, where they are not called the same. */
const types: Partial<Record<Family['type'], string>> = {
  unknown: 'untyped',
  info: 'gauge',
  stateset: 'gauge',
};

function writeFamily(page: Page, family: Family, constantLabels: string): void {
  const { name, help } = family;
  const type = types[family.type] ?? family.type;
  page.write(`${help && `# HELP ${name} ${escapeHelp(help)}\n`}# TYPE ${name} ${type}\n`);
  writeSamples(page, family, constantLabels, dialect);
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
