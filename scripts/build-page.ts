/** Bundles the status page into build/page, for a sidecar that runs from the sources; only when it is older than these. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildPage, pageSource } from './page/build.ts';
import { step } from './progress.ts';

const folder = join(import.meta.dirname, '../build/page');
const sources = [
  join(import.meta.dirname, 'page/build.ts'),
  join(import.meta.dirname, '../package-lock.json'),
  ...readdirSync(pageSource).map((name) => join(pageSource, name)),
];

function modified(path: string): number {
  return statSync(path).mtimeMs;
}

const page = join(folder, 'index.html.gz');
if (!existsSync(page) || modified(page) < Math.max(...sources.map(modified)))
  await step('Bundling the status page into build/page', () => buildPage(folder));
