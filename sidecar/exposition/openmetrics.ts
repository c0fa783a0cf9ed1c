import type { Family } from '../series/family.ts';
import type { Format } from './format.ts';
import { renderNumber, renderSamples } from './samples.ts';

/** OpenMetrics 1.0. */
export const openMetricsFormat: Format = {
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  render: (families, constantLabels) =>
    `${Array.from(families, (family) => renderFamily(family, constantLabels)).join('')}# EOF\n`,
};

function renderFamily(family: Family, constantLabels: string): string {
  const samples = renderSamples(family, constantLabels, renderBound);
  if (samples === '') return '';
  const { name, type } = head(family);
  return `# TYPE ${name} ${type}\n${family.help && `# HELP ${name} ${escapeHelp(family.help)}\n`}${samples}`;
}

/**
 * A counter's family goes by the name without `_total`, its samples by the name with it. A counter that is
 * not called so becomes `unknown`: its series keep their name, whatever format they are scraped in.
 */
function head({ name, type }: Family): { name: string; type: string } {
  if (type !== 'counter') return { name, type };
  return name.endsWith('_total')
    ? { name: name.slice(0, -'_total'.length), type }
    : { name, type: 'unknown' };
}

/** As the specification asks of numbers in labels ("Canonical Numbers"): 1.0, not 1. */
function renderBound(bound: number): string {
  return Number.isInteger(bound) ? bound.toFixed(1) : renderNumber(bound);
}

function escapeHelp(help: string): string {
  return help.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
