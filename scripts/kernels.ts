/**
 * `npm run test:kernels`: the tests of the probes, and of every type of program, on Debian's kernels. See --help, and
 * docs/kernels.md for what came of it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtinProbes } from '../sidecar/contract/probes.ts';
import { cacheDirectory } from './cache.ts';
import { openDebian } from './kernels/debian.ts';
import { makeProjectDisk, makeRootDisk, rootPackages, Tree, toolPackages } from './kernels/images.ts';
import { boot } from './kernels/machine.ts';
import { help, type Options, readOptions, UsageError } from './kernels/options.ts';
import { isGood, report, withReport } from './kernels/report.ts';
import type { Run } from './kernels/result.ts';
import { chooseKernel } from './kernels/versions.ts';
import { note, say, step } from './progress.ts';

/** Seconds for all tests on one kernel. */
const patience = 3600;

const probeTests = builtinProbes.map((probe) => `test/bpf/${probe}.test.ts`);
const attachTests = testsIn('sidecar/programs/attach');
const kernelTests = testsIn('kernels');

function testsIn(folder: string): string[] {
  const names = readdirSync(join(import.meta.dirname, '../test', folder));
  return names.filter((name) => name.endsWith('.test.ts')).map((name) => `test/${folder}/${name}`);
}

async function main({ kernels, tests, short, out }: Options): Promise<number> {
  // Told before the work, not after.
  if (out !== undefined) withReport(readFileSync(out, 'utf8'), '');
  const cache = cacheDirectory('kernels');
  mkdirSync(cache, { recursive: true });
  const [rootDisk, projectDisk, console_] = ['root.ext4', 'project.ext4', 'console.txt'].map((name) =>
    join(cache, name),
  ) as [string, string, string];

  let packages: Packages;
  try {
    packages = await step('Packages of Debian: QEMU, what a machine needs, and kernels', () =>
      fetchPackages(join(cache, 'apt'), kernels),
    );
  } catch (error) {
    if (!short) throw error;
    say(`skipped: there are no kernels of Debian's to be had: ${(error as Error).message}`);
    return 0;
  }
  const releases = Object.keys(packages.kernels);
  const [tools, root] = [new Tree(join(cache, 'tools')), new Tree(join(cache, 'root'))];
  await step('Disks for the machines', async () => {
    await tools.add(packages.tools);
    const isNew = await root.add([...packages.root, ...Object.values(packages.kernels).flat()]);
    note('the root');
    if (isNew || !existsSync(rootDisk)) await makeRootDisk(rootDisk, root, releases, tools);
    note('the tests');
    await makeProjectDisk(projectDisk, tests, tools);
  });

  const began = Date.now();
  const runs: Run[] = [];
  for (const [index, release] of releases.entries()) {
    const run: Run = { kernel: release, results: [], attachments: [] };
    runs.push(run);
    try {
      const machine = {
        kernel: kernelFile(root, release),
        root: rootDisk,
        project: projectDisk,
        console: console_,
      };
      const title = `Linux ${release} (${index + 1} of ${releases.length})`;
      await step(title, () => {
        note('booting');
        return boot(machine, tools, patience, (line) => {
          take(run, line);
          note(`test file ${new Set(run.results.map(({ file }) => file)).size} of ${tests.length}`);
        });
      });
    } catch (error) {
      run.problem = (error as Error).message;
      say(run.problem);
    }
  }
  say(`${releases.length} kernels in ${Math.round((Date.now() - began) / 1000)} s`);
  const text = report(runs, new Date());
  process.stdout.write(`\n${text}`);
  if (out !== undefined) writeFileSync(out, withReport(readFileSync(out, 'utf8'), text));
  rmSync(projectDisk);
  return runs.every(isGood) ? 0 : 1;
}

/** Archives of Debian's packages. */
interface Packages {
  tools: string[];
  root: string[];
  /** By release. */
  kernels: Record<string, string[]>;
}

async function fetchPackages(directory: string, words: readonly string[]): Promise<Packages> {
  const debian = await openDebian(directory);
  const available = await debian.kernels();
  const packages: Packages = {
    tools: await debian.fetch(toolPackages),
    root: await debian.fetch(rootPackages),
    kernels: {},
  };
  for (const word of words) {
    const release = chooseKernel(word, available);
    const fetch = () => debian.fetchKernel(release);
    packages.kernels[release] = await step(`  Linux ${release}`, fetch, { done: 'fetched' });
  }
  return packages;
}

/** Files what the machine tells, and shows it. */
function take(run: Run, line: string): void {
  const { result, attachment } = JSON.parse(line);
  if (attachment) run.attachments.push(attachment);
  if (!result) return;
  run.results.push(result);
  const { outcome, file, name, seconds, reason } = result;
  const label = { passed: 'ok', failed: 'FAILED', skipped: 'skipped' }[outcome as keyof object];
  say(`  ${label} ${file}: ${name} (${seconds} s)${reason === undefined ? '' : `\n    ${reason}`}`);
}

function kernelFile(root: Tree, release: string): string {
  const name = `${release}-cloud-amd64`;
  const paths = [root.path('boot', `vmlinuz-${name}`), root.path('usr/lib/modules', name, 'vmlinuz')];
  return paths.find(existsSync) ?? paths[0]!;
}

try {
  const tests = { all: [...kernelTests, ...probeTests, ...attachTests], short: kernelTests };
  const options = readOptions(process.argv.slice(2), builtinProbes, tests);
  if (options === 'help') process.stdout.write(help);
  else process.exitCode = await main(options);
} catch (error) {
  say(`test:kernels: ${(error as Error).message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
