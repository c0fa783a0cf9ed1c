import type {
  Exemplar,
  Family,
  HistogramFamily,
  ScalarFamily,
  StateSetFamily,
  SummaryFamily,
} from '../series/family.ts';
import { renderLabels } from '../series/labels.ts';
import type { Page } from './page.ts';

/** How the sample lines of the exposition formats differ. */
export interface Dialect {
  renderBound(bound: number): string;
  /** Whether a sample tells when a counter, histogram or summary was zero. */
  created: boolean;
  /** Whether a bucket tells one of its events. */
  exemplars: boolean;
}

/** Writes the sample lines of a family, and yields whenever the page is full. */
export function* writeSamples(
  page: Page,
  family: Family,
  constantLabels: string,
  dialect: Dialect,
): Generator<void> {
  switch (family.type) {
    case 'histogram':
    case 'gaugehistogram':
      yield* writeHistogram(page, family, constantLabels, dialect);
      break;
    case 'summary':
      yield* writeSummary(page, family, constantLabels, dialect);
      break;
    case 'stateset':
      yield* writeStateSet(page, family, constantLabels);
      break;
    default:
      yield* writeScalars(page, family, constantLabels, dialect);
  }
}

function* writeScalars(
  page: Page,
  family: ScalarFamily,
  constantLabels: string,
  dialect: Dialect,
): Generator<void> {
  const { type, name, series } = family;
  const base = type === 'counter' ? counterBase(name) : undefined;
  const created = base && createdSample(base, family, dialect);
  const beginning = `${name}{${constantLabels}`;
  const separated = constantLabels ? `${beginning},` : beginning;
  for (const { labels, value } of series) {
    if (labels) {
      // One by one: a string made of several would be garbage for each sample.
      page.write(separated);
      page.write(labels);
      page.write(`} ${renderNumber(value)}\n`);
    } else page.write(`${constantLabels ? `${beginning}}` : name} ${renderNumber(value)}\n`);
    if (created) page.write(created(braces(joinLabels(constantLabels, labels))));
    if (page.isFull()) yield;
  }
}

/** The name of a counter without its `_total`; undefined when it is not called so. */
export function counterBase(name: string): string | undefined {
  return name.endsWith('_total') ? name.slice(0, -'_total'.length) : undefined;
}

/** Renders the sample that tells when a series was zero; undefined where the format or the family has none. */
function createdSample(
  base: string,
  { created }: Family,
  dialect: Dialect,
): ((braced: string) => string) | undefined {
  if (!dialect.created || created === undefined) return undefined;
  const value = renderNumber(created);
  return (braced) => `${base}_created${braced} ${value}\n`;
}

/** A sample for each state, which is in a label of the metric's name. */
function* writeStateSet(
  page: Page,
  { name, states, series }: StateSetFamily,
  constantLabels: string,
): Generator<void> {
  const pairs = states.map((state) => renderLabels([[name, state]]));
  for (const { labels, value } of series) {
    const joined = joinLabels(constantLabels, labels);
    for (let index = 0; index < pairs.length; index++)
      page.write(`${name}{${joinLabels(joined, pairs[index]!)}} ${(value >>> index) & 1}\n`);
    if (page.isFull()) yield;
  }
}

function* writeSummary(
  page: Page,
  family: SummaryFamily,
  constantLabels: string,
  dialect: Dialect,
): Generator<void> {
  const { name, series } = family;
  const created = createdSample(name, family, dialect);
  for (const { labels, count, sum } of series) {
    const braced = braces(joinLabels(constantLabels, labels));
    page.write(`${name}_sum${braced} ${renderNumber(sum)}\n${name}_count${braced} ${count}\n`);
    if (created) page.write(created(braced));
    if (page.isFull()) yield;
  }
}

function* writeHistogram(
  page: Page,
  family: HistogramFamily,
  constantLabels: string,
  dialect: Dialect,
): Generator<void> {
  const { type, name, bounds, series } = family;
  const gauge = type === 'gaugehistogram' ? 'g' : '';
  const created = type === 'histogram' ? createdSample(name, family, dialect) : undefined;
  const buckets = [...bounds.map(dialect.renderBound), '+Inf'].map((bound) => `le="${bound}"} `);
  for (const { labels, counts, sum, exemplars = [] } of series) {
    const joined = joinLabels(constantLabels, labels);
    const bucket = `${name}_bucket{${joined}${joined && ','}`;
    let count = 0;
    for (let index = 0; index < buckets.length; index++) {
      count += counts[index] ?? 0;
      const exemplar = dialect.exemplars ? renderExemplar(exemplars[index]) : '';
      page.write(`${bucket}${buckets[index]}${count}${exemplar}\n`);
    }
    const braced = braces(joined);
    page.write(`${name}_${gauge}sum${braced} ${renderNumber(sum)}\n`);
    page.write(`${name}_${gauge}count${braced} ${count}\n`);
    if (created) page.write(created(braced));
    if (page.isFull()) yield;
  }
}

function renderExemplar(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  const { labels, value, time } = exemplar;
  return ` # {${labels}} ${renderNumber(value)} ${time.toFixed(3)}`;
}

/** Pairs of two origins as one list. */
export function joinLabels(constant: string, own: string): string {
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
