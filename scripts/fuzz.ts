/**
 * `npm run fuzz [-- --cases N --seed N]`: feeds broken metric specs, objects and executables to what reads them, N cases
 * each, in processes with the memory of the image's. Ends with exit code 1 when one of them crashes, hangs, or grows without
 * bound, and tells which. What makes libbpf crash is counted: the sidecar tries the objects of others in a process of their
 * own first. So it does with metric specs that were made large, of which there are fewer cases.
 */
import { type ExecFileException, execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { targets, throughLibbpf, throughProcesses } from './fuzz/targets.ts';
import { sidecarFlags } from './image.ts';
import { at, waiting } from './progress.ts';

/** Cases of one process. */
const batch = 5_000;
/** Of those that start a process each, for one of the others. */
const othersForOne = 500;
const crashSignals: readonly string[] = ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE'];
/** Milliseconds between two looks at where a batch is. */
const period = 500;
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
    const { fault, crashes } = await waiting(name, () => runAll(name));
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    const inLibbpf = crashes === 0 ? '' : `, of which ${crashes} crash libbpf`;
    console.log(fault ?? `${name}: ${casesOf(name)} cases in ${seconds} s${inLibbpf}`);
    if (fault !== undefined) process.exitCode = 1;
  }
} finally {
  rmSync(directory, { recursive: true });
}

async function runAll(name: string): Promise<{ fault?: string; crashes: number }> {
  const cases = casesOf(name);
  let crashes = 0;
  for (let first = 0; first < cases; ) {
    writeFileSync(marker, `${first}`);
    const looking = setInterval(() => at(Math.max(first, reachedCase()), cases), period);
    const { signal, fault } = await runBatch(name, first, Math.min(batch, cases - first));
    clearInterval(looking);
    const reached = reachedCase();
    if (signal && crashSignals.includes(signal) && name === throughLibbpf) {
      crashes++;
      first = reached + 1;
    } else if (fault !== undefined)
      return { fault: `${name}: case ${reached} of seed ${values.seed}: ${fault}`, crashes };
    else first += batch;
  }
  return { crashes };
}

/** Where the process is, or was at its end. */
function reachedCase(): number {
  return Number(readFileSync(marker, 'utf8'));
}

async function runBatch(
  name: string,
  first: number,
  count: number,
): Promise<{ signal?: NodeJS.Signals | undefined; fault?: string }> {
  const script = join(import.meta.dirname, 'fuzz/run.ts');
  const argv = [...sidecarFlags, script, name, values.seed, String(first), String(count), marker];
  try {
    await promisify(execFile)(process.execPath, argv, { timeout, maxBuffer: 1e9 });
    return {};
  } catch (error) {
    const { signal, code, stdout, stderr } = error as ExecFileException & Record<'stdout' | 'stderr', string>;
    const how = signal ?? `exit code ${code}`;
    return { signal, fault: `${how}\n${stdout}${stderr.slice(-2_000)}`.trimEnd() };
  }
}
