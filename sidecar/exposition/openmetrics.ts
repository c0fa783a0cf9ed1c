import type { Family } from '../series/family.ts';
import type { Format } from './format.ts';
import { createPage } from './page.ts';
import { isEmpty, renderNumber, writeSamples } from './samples.ts';

/** OpenMetrics 1.0. A family without series is left out. */
export const openMetricsFormat: Format = {
  contentType: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  render(families, constantLabels) {
    const page = createPage();
    for (const family of families) {
      if (isEmpty(family)) continue;
      const { name, type } = head(family);
      const { help } = family;
      page.write(`# TYPE ${name} ${type}\n${help && `# HELP ${name} ${escapeHelp(help)}\n`}`);
      writeSamples(page, family, constantLabels, renderBound);
    }
    page.write('# EOF\n');
    return page.toBuffer();
  },
};

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
