import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';

const root = join(import.meta.dirname, '../..');
export const pageSource = join(root, 'sidecar/page');

/**
 * Bundles the status page into a folder: each file that the sidecar serves, compressed, for it to send as it is. Resolves to
 * what of which file came into it, by paths from the top of the repository.
 */
export async function buildPage(folder: string): Promise<Metafile> {
  const licence = `/* With uPlot:\n${readFileSync(join(root, 'node_modules/uplot/LICENSE'), 'utf8')}*/`;
  const { outputFiles, metafile } = await build({
    entryPoints: ['page.ts', 'page.css'].map((name) => join(pageSource, name)),
    outdir: folder,
    write: false,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    banner: { js: licence, css: licence },
    logLevel: 'warning',
    metafile: true,
    absWorkingDir: root,
  });
  const files = [
    ...outputFiles.map(({ path, contents }) => ({ name: basename(path), contents })),
    ...['index.html', 'icon.svg'].map((name) => ({ name, contents: readFileSync(join(pageSource, name)) })),
  ];
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, contents } of files)
    writeFileSync(join(folder, `${name}.gz`), gzipSync(contents, { level: 9 }));
  return metafile;
}
