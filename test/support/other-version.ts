import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { build } from 'esbuild';
import { type Arch, compileObject, sourceDirectory } from '../../scripts/bpf/compile.ts';

const root = join(import.meta.dirname, '../..');

/**
 * Builds a script of ours as a later version of the sidecar would have it, in which the dispatchers keep pods elsewhere in
 * half as large a table, and so the layout has another number. Gives the path of the script.
 */
export async function buildOtherVersion(t: TestContext, script: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-version-'));
  t.after(() => rmSync(directory, { recursive: true }));
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  const outfile = join(directory, 'script.mjs');
  await build({
    entryPoints: [script],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    plugins: [
      {
        name: 'other-version',
        setup({ onLoad }) {
          onLoad({ filter: /hooks\/(shared|lane)\.ts$/ }, ({ path }) => ({
            contents: path.endsWith('lane.ts')
              ? changed(path, 'placesBits = 12n', 'placesBits = 11n')
              : changed(path, "protocol = 'v2'", "protocol = 'v3'"),
            loader: 'ts',
          }));
        },
      },
    ],
  });

  // A header is looked for beside the file that includes it first.
  const source = join(directory, 'task.bpf.c');
  writeFileSync(source, readFileSync(join(sourceDirectory, 'dispatchers/task.bpf.c')));
  const header = join(sourceDirectory, 'include/dispatch.bpf.h');
  writeFileSync(join(directory, 'dispatch.bpf.h'), changed(header, 'PLACES_BITS  12', 'PLACES_BITS  11'));
  mkdirSync(join(directory, 'bpf/dispatchers'), { recursive: true });
  await compileObject(source, join(directory, 'bpf/dispatchers/task.bpf.o'), process.arch as Arch);
  return outfile;
}

/** The text of a file with something in it replaced that must be there. */
function changed(path: string, from: string, to: string): string {
  const text = readFileSync(path, 'utf8');
  if (!text.includes(from)) throw new Error(`${path} has no "${from}"`);
  return text.replace(from, to);
}
