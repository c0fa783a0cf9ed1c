import type { Family, HistogramFamily, ScalarFamily } from '../series/family.ts';

/**
 * The sample lines of a family, which are the same in both exposition formats but for how a bucket's bound is
 * written. Empty when the family has no series.
 */
export function renderSamples(
  family: Family,
  constantLabels: string,
  renderBound: (bound: number) => string,
): string {
  return family.type === 'histogram'
    ? renderHistogram(family, constantLabels, renderBound)
    : renderScalar(family, constantLabels);
}

function renderScalar({ name, series }: ScalarFamily, constantLabels: string): string {
  let lines = '';
  for (const { labels, value } of series)
    lines += `${name}${braces(joinLabels(constantLabels, labels))} ${renderNumber(value)}\n`;
  return lines;
}

function renderHistogram(
  { name, bounds, series }: HistogramFamily,
  constantLabels: string,
  renderBound: (bound: number) => string,
): string {
  const buckets = [...bounds.map(renderBound), '+Inf'].map((bound) => `le="${bound}"} `);
  let lines = '';
  for (const { labels, counts, sum } of series) {
    const joined = joinLabels(constantLabels, labels);
    const bucket = `${name}_bucket{${joined}${joined && ','}`;
    let count = 0;
    buckets.forEach((le, index) => {
      count += counts[index] ?? 0;
      lines += `${bucket}${le}${count}\n`;
    });
    lines += `${name}_sum${braces(joined)} ${renderNumber(sum)}\n`;
    lines += `${name}_count${braces(joined)} ${count}\n`;
  }
  return lines;
}

function joinLabels(constant: string, own: string): string {
  return constant && own ? `${constant},${own}` : constant || own;
}

function braces(labels: string): string {
  return labels && `{${labels}}`;
}

/** The shortest decimal that gives the number back; `+Inf`, `-Inf` and `NaN` as the formats spell them. */
export function renderNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
