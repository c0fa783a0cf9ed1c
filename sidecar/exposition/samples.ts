import type { Family, HistogramFamily, ScalarFamily } from '../series/family.ts';
import type { Page } from './page.ts';

/**
 * Writes the sample lines of a family, which are the same in both exposition formats but for how a bucket's
 * bound is written.
 */
export function writeSamples(
  page: Page,
  family: Family,
  constantLabels: string,
  renderBound: (bound: number) => string,
): void {
  if (family.type === 'histogram') writeHistogram(page, family, constantLabels, renderBound);
  else writeScalars(page, family, constantLabels);
}

/**
 * A family whose map is empty says nothing: HELP and TYPE alone are a family without metrics, which the
 * formats do not provide for and parsers treat differently.
 */
export function isEmpty({ series }: Family): boolean {
  for (const _ of series) return false;
  return true;
}

function writeScalars(page: Page, { name, series }: ScalarFamily, constantLabels: string): void {
  for (const { labels, value } of series)
    page.write(`${name}${braces(joinLabels(constantLabels, labels))} ${renderNumber(value)}\n`);
}

function writeHistogram(
  page: Page,
  { name, bounds, series }: HistogramFamily,
  constantLabels: string,
  renderBound: (bound: number) => string,
): void {
  const buckets = [...bounds.map(renderBound), '+Inf'].map((bound) => `le="${bound}"} `);
  for (const { labels, counts, sum } of series) {
    const joined = joinLabels(constantLabels, labels);
    const bucket = `${name}_bucket{${joined}${joined && ','}`;
    let count = 0;
    for (let index = 0; index < buckets.length; index++) {
      count += counts[index] ?? 0;
      page.write(`${bucket}${buckets[index]}${count}\n`);
    }
    page.write(`${name}_sum${braces(joined)} ${renderNumber(sum)}\n`);
    page.write(`${name}_count${braces(joined)} ${count}\n`);
  }
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
