/**
 * Compiles bpf/ into build/bpf/<arch>/ for both architectures and puts the metric specs, as JSON, beside the
 * objects.
 * Only what is older than its sources is built.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseYaml } from '../sidecar/contract/metric-spec-yaml.ts';
import { type Arch, architectures, compileObject, sourceDirectory } from './bpf/compile.ts';
import { at, step } from './progress.ts';

const buildDirectory = join(import.meta.dirname, '../build/bpf');
const newestHeader = Math.max(...filesIn('include', '.h').map(modified));

interface Job {
  source: string;
  object: string;
  arch: Arch;
}

function isOutOfDate({ source, object }: Job): boolean {
  return !existsSync(object) || modified(object) <= Math.max(newestHeader, modified(source));
}

async function compile(jobs: readonly Job[]): Promise<void> {
  let done = 0;
  at(done, jobs.length);
  await Promise.all(
    jobs.map(async ({ source, object, arch }) => {
      mkdirSync(dirname(object), { recursive: true });
      await compileObject(source, object, arch);
      at(++done, jobs.length);
    }),
  );
}

function writeSpec(file: string): void {
  const name = basename(file, '.yaml');
  const json = JSON.stringify(parseYaml(readFileSync(file, 'utf8'), basename(file)));
  for (const arch of architectures) writeFileSync(join(buildDirectory, arch, `${name}.json`), json);
}

function filesIn(folder: string, ending: string): string[] {
  return readdirSync(join(sourceDirectory, folder))
    .filter((name) => name.endsWith(ending))
    .map((name) => join(sourceDirectory, folder, name));
}

function modified(path: string): number {
  return statSync(path).mtimeMs;
}

const programs = ['', 'dispatchers', 'pod'].flatMap((folder) =>
  filesIn(folder, '.bpf.c').map((path) => join(folder, basename(path))),
);
try {
  const jobs = architectures
    .flatMap((arch) =>
      programs.map((file) => ({
        source: join(sourceDirectory, file),
        object: join(buildDirectory, arch, file.replace(/\.c$/, '.o')),
        arch,
      })),
    )
    .filter(isOutOfDate);
  if (jobs.length > 0)
    await step(`Compiling ${jobs.length} eBPF objects into build/bpf`, () => compile(jobs));
  for (const spec of filesIn('', '.yaml')) writeSpec(spec);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
