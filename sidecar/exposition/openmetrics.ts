import type { Family } from '../series/family.ts';
import { createFormat } from './format.ts';
import type { Page } from './page.ts';
import { counterBase, type Dialect, renderNumber, writeSamples } from './samples.ts';

/** OpenMetrics 1.0. A family without series is left out. */
export const openMetricsFormat = createFormat(
  'application/openmetrics-text; version=1.0.0; charset=utf-8',
  writeFamily,
  '# EOF\n',
);

function* writeFamily(page: Page, family: Family, constantLabels: string): Generator<void> {
  const { name, type } = head(family);
  const { help } = family;
  const unit = unitOf(name, type);
  page.write(`# TYPE ${name} ${type}\n`);
  if (unit) page.write(`# UNIT ${name} ${unit}\n`);
  if (help) page.write(`# HELP ${name} ${escapeHelp(help)}\n`);
  yield* writeSamples(page, family, constantLabels, dialect);
}

/**
 * The families of counters and infos go by the name without the suffix of their samples. A counter that is not
 * called so becomes `unknown`: its series keep their name, whatever format they are scraped in.
 */
function head({ name, type }: Family): { name: string; type: string } {
  if (type === 'info') return { name: name.slice(0, -'_info'.length), type };
  if (type !== 'counter') return { name, type };
  const base = counterBase(name);
  return base === undefined ? { name, type: 'unknown' } : { name: base, type };
}

/** The base units of OpenMetrics and Prometheus. */
const unitSuffix = /_(seconds|bytes|ratio|joules|grams|meters|volts|amperes|celsius|hertz)$/;

/** A unit is the last word of a family's name. What has no numbers, info and stateset, must not have one. */
function unitOf(name: string, type: string): string | undefined {
  return type === 'info' || type === 'stateset' ? undefined : unitSuffix.exec(name)?.[1];
}

const dialect: Dialect = { renderBound, created: true, exemplars: true };

/** As the specification asks of numbers in labels ("Canonical Numbers"): 1.0, not 1. */
function renderBound(bound: number): string {
  return Number.isInteger(bound) ? bound.toFixed(1) : renderNumber(bound);
}

function escapeHelp(help: string): string {
  return help.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
