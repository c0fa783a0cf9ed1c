import type { Format } from './format.ts';
import { createPage } from './page.ts';
import { isEmpty, renderNumber, writeSamples } from './samples.ts';

/** The text format of Prometheus, version 0.0.4. A family without series is left out. */
export const textFormat: Format = {
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
  render(families, constantLabels) {
    const page = createPage();
    for (const family of families) {
      if (isEmpty(family)) continue;
      const { name, help } = family;
      const type = family.type === 'unknown' ? 'untyped' : family.type;
      page.write(`${help && `# HELP ${name} ${escapeHelp(help)}\n`}# TYPE ${name} ${type}\n`);
      writeSamples(page, family, constantLabels, renderNumber);
    }
    return page.toBuffer();
  },
};

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
