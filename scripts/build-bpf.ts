/**
 * Compiles bpf/ into build/bpf/<arch>/ for both architectures and puts the metric specs, as JSON, beside the
 * objects.
 * Only what is older than its sources is built.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseYaml } from '../sidecar/contract/metric-spec-yaml.ts';
import { type Arch, architectures, compileObject, sourceDirectory } from './bpf/compile.ts';

const buildDirectory = join(import.meta.dirname, '../build/bpf');
const newestHeader = Math.max(...filesIn('include', '.h').map(modified));

/** Resolves to whether there was anything to do. */
async function build(file: string, arch: Arch): Promise<boolean> {
  const source = join(sourceDirectory, file);
  const object = join(buildDirectory, arch, file.replace(/\.c$/, '.o'));
  if (existsSync(object) && modified(object) > Math.max(newestHeader, modified(source))) return false;
  mkdirSync(dirname(object), { recursive: true });
  await compileObject(source, object, arch);
  return true;
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
  const built = await Promise.all(architectures.flatMap((arch) => programs.map((file) => build(file, arch))));
  for (const spec of filesIn('', '.yaml')) writeSpec(spec);
  const count = built.filter(Boolean).length;
  if (count > 0) console.log(`compiled ${count} eBPF objects into build/bpf`);
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
