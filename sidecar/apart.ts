import { once } from 'node:events';

/** The option of `bpf-sidecar run` that has it end after runTrial. */
export const trialOption = 'try-object';

/** The option of `bpf-sidecar run` that has it end after runReading; its value names the spec in messages. */
export const readingOption = 'read-spec';

/** Milliseconds: a program of a million instructions takes the verifier some seconds. */
export const patience = 60_000;

/** How a process that did some work for us ended. */
export interface Outcome {
  /** What it wrote. */
  output: Buffer;
  /** Its exit code, when it ended by itself. */
  code: number | null;
  /** What ended it, when it did not end by itself. SIGKILL is also what takes a process that has run for too long. */
  signal: NodeJS.Signals | null;
}

/**
 * Runs this very program with other arguments, in a process of its own with the same bounds on memory, and gives it
 * `input` to read: what may crash or exhaust a process must not take the probes of this one along.
 */
export async function runApart(
  args: readonly string[],
  input: Buffer,
  script: string,
  limit = patience,
): Promise<Outcome> {
  // Here and not above: the module takes memory that a sidecar without programs of users need not have.
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, [...process.execArgv, script, 'run', ...args], {
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: limit,
    killSignal: 'SIGKILL',
  });
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  // It may end before it has read all.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code, signal] = await once(child, 'close');
  return { output: Buffer.concat(pieces), code, signal };
}
