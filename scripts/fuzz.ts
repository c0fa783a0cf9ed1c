/**
 * `npm run fuzz [-- --cases N --seed N]`: feeds broken metric specs, objects and executables to what reads them, N cases
 * each, in processes with the memory of the image's. Ends with exit code 1 when one of them crashes, hangs, or grows without
 * bound, and tells which. What makes libbpf crash is counted: the sidecar tries the objects of others in a process of their
 * own first. So it does with metric specs that were made large, of which there are fewer cases.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { targets, throughLibbpf, throughProcesses } from './fuzz/targets.ts';
import { sidecarFlags } from './image.ts';

/** Cases of one process. */
const batch = 5_000;
/** Of those that start a process each, for one of the others. */
const othersForOne = 500;
const crashSignals: readonly string[] = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE'];
/** Milliseconds for a batch. */
const timeout = 300_000;

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
const casesOf = (name: string) =>
  Math.ceil(Number(values.cases) / (name === throughProcesses ? othersForOne : 1));
const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-fuzz-'));
const marker = join(directory, 'case');
try {
  for (const name of Object.keys(targets)) {
    const start = performance.now();
    const { fault, crashes } = runAll(name);
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    const inLibbpf = crashes === 0 ? '' : `, of which ${crashes} crash libbpf`;
    console.log(fault ?? `${name}: ${casesOf(name)} cases in ${seconds} s${inLibbpf}`);
    if (fault !== undefined) process.exitCode = 1;
  }
} finally {
  rmSync(directory, { recursive: true });
}

function runAll(name: string): { fault?: string; crashes: number } {
  const cases = casesOf(name);
  let crashes = 0;
  for (let first = 0; first < cases; ) {
    const { signal, fault } = runBatch(name, first, Math.min(batch, cases - first));
    const reached = Number(readFileSync(marker, 'utf8'));
    if (signal !== null && crashSignals.includes(signal) && name === throughLibbpf) {
      crashes++;
      first = reached + 1;
    } else if (fault !== undefined)
      return { fault: `${name}: case ${reached} of seed ${values.seed}: ${fault}`, crashes };
    else first += batch;
  }
  return { crashes };
}

function runBatch(
  name: string,
  first: number,
  count: number,
): { signal: NodeJS.Signals | null; fault?: string } {
  const script = join(import.meta.dirname, 'fuzz/run.ts');
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...sidecarFlags, script, name, values.seed, String(first), String(count), marker],
    { encoding: 'utf8', timeout, maxBuffer: 1e9 },
  );
  if (status === 0) return { signal };
  return { signal, fault: `${signal ?? `exit code ${status}`}\n${stdout}${stderr.slice(-2_000)}`.trimEnd() };
}
