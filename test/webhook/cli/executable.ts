import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../../../scripts/bpf-sidecar.ts', import.meta.url));

export function start(argv: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [entry, ...argv]);
}

/** Runs the real executable to its end. */
export async function run(argv: string[], input = '') {
  const child = start(argv);
  child.stdin.end(input);
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code: code as number, stdout, stderr };
}
