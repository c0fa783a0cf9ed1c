import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { failure, watch } from '../node/child.ts';
import { note } from '../progress.ts';

/** Where the modules are that a cluster's parts come from; their go.sum files vouch for what is downloaded. */
export const modules = join(import.meta.dirname, '../../test/e2e/cluster');

const success = 'ended with exit code 0';

interface Options {
  /** The folder below `modules`. */
  folder?: string;
  /** A file: of all processes that name it, one runs at a time. */
  lock?: string;
  env?: Record<string, string>;
}

/** Rejects with what to do when there is no Go. */
export async function requireGo(): Promise<void> {
  if ((await run(['go', 'version'], modules)).outcome !== success)
    throw new Error(
      'Go is missing: install it as https://go.dev/doc/install tells, or set KUBECONFIG to the cluster to test on',
    );
}

/** Builds the program of a package into a file, and notes how far that is. */
export async function build(
  file: string,
  source: string,
  flags: readonly string[],
  options: Options,
): Promise<void> {
  note('fetching modules that are missing');
  // What Go's cache does not have.
  const stale = await go(
    ['list', '-deps', ...flags, '-f', '{{if .Stale}}{{.ImportPath}}{{end}}', source],
    options,
  );
  const all = stale.split('\n').filter(Boolean).length;
  let built = 0;
  await go(['build', '-v', '-o', file, ...flags, source], options, (line) => {
    // The path of a package and nothing else; what is wrong has more words.
    const isPackage = /^\S+$/.test(line);
    if (isPackage) {
      built += 1;
      note(`package ${built} of ${Math.max(all, built)}`);
    }
    return !isPackage;
  });
}

/** Runs Go's tool; resolves to what it wrote to stdout. Of what is wrong only the lines are told for which `isTelling` is true. */
export async function go(
  argv: readonly string[],
  { folder = '.', lock, env }: Options = {},
  isTelling?: (line: string) => boolean,
): Promise<string> {
  const command = [...(lock ? ['flock', lock] : []), 'go', ...argv];
  const { outcome, child, output } = await run(command, join(modules, folder), env, isTelling);
  if (outcome !== success) throw new Error(failure(`go ${argv[0]}`, child));
  return output;
}

async function run(
  [program, ...argv]: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
  isTelling?: (line: string) => boolean,
) {
  const lines: string[] = [];
  const child = watch(
    spawn(program!, argv, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }),
    (line) => lines.push(line),
    isTelling,
  );
  return { outcome: await child.ended, child, output: lines.join('\n') };
}
