import type { Registry } from 'prom-client';
import type { Family, HistogramFamily, HistogramSeries } from '../series/family.ts';
import { renderLabels } from '../series/labels.ts';

/** What prom-client's getMetricsAsJSON really returns: its declarations give the type as a number. */
interface OwnMetric {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  values: OwnValue[];
}

interface OwnValue {
  labels: Record<string, string | number>;
  value: number;
  /** Of histograms: the name with its suffix. */
  metricName?: string;
}

/** Unix time in seconds at which the process began, with its counters at zero. */
const created = performance.timeOrigin / 1000;

/** The process's own metrics as families, so that they go the same way as those of the maps. No summaries. */
export async function ownFamilies(registry: Registry): Promise<Family[]> {
  const metrics = (await registry.getMetricsAsJSON()) as unknown as OwnMetric[];
  return metrics.map((metric): Family => {
    const { name, help, type, values } = metric;
    if (type === 'histogram') return histogramFamily(metric);
    return {
      name,
      help,
      type,
      created,
      series: values.map(({ labels, value }) => ({ labels: render(labels), value })),
    };
  });
}

/** prom-client lists a histogram's samples series by series: buckets, cumulative and ascending; sum; count. */
function histogramFamily({ name, help, values }: OwnMetric): HistogramFamily {
  const bounds = new Set<number>();
  const series = new Map<string, HistogramSeries & { counted: number }>();
  for (const { labels, value, metricName } of values) {
    const { le, ...own } = labels;
    const rendered = render(own);
    const current = series.get(rendered) ?? { labels: rendered, counts: [], sum: 0, counted: 0 };
    series.set(rendered, current);
    if (metricName === `${name}_sum`) current.sum = value;
    if (le === undefined) continue;
    if (le !== '+Inf') bounds.add(Number(le));
    current.counts.push(value - current.counted);
    current.counted = value;
  }
  return { name, help, type: 'histogram', created, bounds: [...bounds], series: [...series.values()] };
}

function render(labels: OwnValue['labels']): string {
  return renderLabels(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}
