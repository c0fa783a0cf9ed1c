/**
 * `npm run test:kernels`: the tests of the probes, and of every type of program, on Debian's kernels. See --help, and
 * docs/kernels.md for what came of it.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtinProbes } from '../sidecar/contract/probes.ts';
import { cacheDirectory } from './cache.ts';
import { openDebian } from './kernels/debian.ts';
import { makeProjectDisk, makeRootDisk, rootPackages, Tree, toolPackages } from './kernels/images.ts';
import { boot } from './kernels/machine.ts';
import { help, type Options, readOptions, UsageError } from './kernels/options.ts';
import { isGood, type Run, report } from './kernels/report.ts';
import { chooseKernel } from './kernels/versions.ts';

/** Seconds for all tests on one kernel. */
const patience = 3600;

const probeTests = builtinProbes.map((probe) => `test/bpf/${probe}.test.ts`);
const attachTests = testsIn('sidecar/programs/attach');
const kernelTests = testsIn('kernels');

function testsIn(folder: string): string[] {
  const names = readdirSync(join(import.meta.dirname, '../test', folder));
  return names.filter((name) => name.endsWith('.test.ts')).map((name) => `test/${folder}/${name}`);
}

async function main({ kernels, tests, out }: Options): Promise<number> {
  const cache = cacheDirectory('kernels');
  mkdirSync(cache, { recursive: true });
  const [rootDisk, projectDisk, console_] = ['root.ext4', 'project.ext4', 'console.txt'].map((name) =>
    join(cache, name),
  );

  say('Debian: QEMU, the kernels and what a machine needs');
  const debian = await openDebian(join(cache, 'apt'));
  const available = await debian.kernels();
  const releases = [...new Set(kernels.map((word) => chooseKernel(word, available)))];
  const [tools, root] = [new Tree(join(cache, 'tools')), new Tree(join(cache, 'root'))];
  await tools.add(await debian.fetch(toolPackages));
  let isNew = await root.add(await debian.fetch(rootPackages));
  for (const release of releases) isNew = (await root.add(await debian.fetchKernel(release))) || isNew;
  if (isNew || !existsSync(rootDisk!)) await makeRootDisk(rootDisk!, root, releases, tools);
  await makeProjectDisk(projectDisk!, tests, tools);

  const runs: Run[] = [];
  for (const release of releases) {
    const run: Run = { kernel: release, results: [], attachments: [] };
    runs.push(run);
    say(`Linux ${release}`);
    try {
      const kernel = kernelFile(root, release);
      const machine = { kernel, root: rootDisk!, project: projectDisk!, console: console_! };
      await boot(machine, tools, patience, (line) => take(run, line));
    } catch (error) {
      run.problem = (error as Error).message;
      say(run.problem);
    }
  }
  const text = report(runs);
  process.stdout.write(`\n${text}`);
  if (out !== undefined) writeFileSync(out, text);
  rmSync(projectDisk!);
  return runs.every(isGood) ? 0 : 1;
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

function say(line: string): void {
  process.stderr.write(`${line}\n`);
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
