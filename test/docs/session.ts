import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Command, type Place, patternOf, type ShellStep, stepsOf, trimLines, write } from './steps.ts';

const root = join(import.meta.dirname, '../..');

/** Milliseconds that a command may take, or until what stays has printed what is shown. */
const patience = 180_000;

/**
 * That of the demo's pod, which documents show. With other pods on the machine it has another, and a reader asks the one that
 * the demo tells.
 */
const firstAddress = '198.18.0.2';

/**
 * Does what a document has its reader do at a place: writes its files and runs its commands in a shell, in a folder like the
 * top of a clone. Fails where a script does, and where a command does not print what the document shows.
 */
export async function follow(path: string, place: Place, env: Record<string, string> = {}): Promise<void> {
  const directory = cloneOfLinks();
  const terminal = openTerminal(directory, env);
  const files = new Map<string, string>();
  let staying: Staying | undefined;
  let address = firstAddress;
  try {
    for (const step of stepsOf(path)) {
      const written = write(files, step);
      if (written !== undefined) writeFileSync(join(directory, written), files.get(written)!);
      else if (step.kind === 'shell' && step.places.includes(place)) {
        const at = `${path}:${step.line}`;
        if (step.stays) {
          await staying?.interrupt();
          staying = stay(step.commands[0]!.command, directory, env);
          const printed = await staying.untilPrinted(step, at);
          [address] = /198\.18\.[\d.]*\d/.exec(printed) ?? [address];
        } else
          for (const { command, ...more } of step.commands) {
            const asked = { command: command.replaceAll(firstAddress, address), ...more };
            compare(asked, await terminal.run(asked), step, at);
          }
      }
    }
  } finally {
    await staying?.interrupt();
    await terminal.close();
    rmSync(directory, { recursive: true });
  }
}

/** Whether a document has something to do at a place. */
export function hasStepsAt(path: string, place: Place): boolean {
  return stepsOf(path).some((step) => step.kind === 'shell' && step.places.includes(place));
}

/** A temporary folder with all that is at the top of ours; what is written there stays there. */
function cloneOfLinks(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-document-'));
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const [from, to] = [join(root, entry.name), join(directory, entry.name)];
    if (entry.isFile()) cpSync(from, to, { preserveTimestamps: true });
    else symlinkSync(from, to);
  }
  return directory;
}

/** Our environment, less what npm tells the scripts that it runs: npm in the other folder would believe it. */
function environment(more: Record<string, string>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_') && name !== 'INIT_CWD');
  const quiet = { npm_config_update_notifier: 'false', NO_COLOR: '1' };
  return { ...Object.fromEntries(own), ...quiet, ...more };
}

interface Done {
  code: number;
  printed: string;
}

/** A shell that keeps its variables, its folder and its jobs from one command to the next. */
function openTerminal(cwd: string, env: Record<string, string>) {
  const scratch = mkdtempSync(join(tmpdir(), 'bpf-sidecar-terminal-'));
  const [script, output] = [join(scratch, 'command'), join(scratch, 'output')];
  const shell = spawn('bash', ['--norc'], { cwd, env: environment(env), detached: true });
  const codes = createInterface({ input: shell.stdout })[Symbol.asyncIterator]();
  return {
    async run({ command, shown }: Command): Promise<Done> {
      // A script ends, and the shell with it, with the first command that fails.
      writeFileSync(script, shown === undefined ? `set -e\n${command}` : `${command}\n`);
      writeFileSync(output, '');
      const timer = setTimeout(() => killGroup(shell, 'SIGTERM'), patience);
      // What it leaves running keeps the file open, and not us waiting.
      shell.stdin.write(`. ${script} < /dev/null > ${output} 2>&1; echo $?; set +e\n`);
      const { value } = await codes.next();
      clearTimeout(timer);
      return { code: value === undefined ? 1 : Number(value), printed: readFileSync(output, 'utf8') };
    },
    async close(): Promise<void> {
      shell.stdin.end();
      killGroup(shell, 'SIGTERM');
      await ended(shell);
      rmSync(scratch, { recursive: true });
    },
  };
}

function compare({ command, shown }: Command, { code, printed }: Done, step: ShellStep, at: string): void {
  if (shown === undefined) {
    assert.equal(code, 0, `${at}: ${command}ended with exit code ${code}:\n${printed}`);
    return;
  }
  if (!patternOf(shown, step).test(trimLines(printed)))
    assert.equal(trimLines(printed), trimLines(shown), `${at}: $ ${command}\nprinted:\n${printed}`);
}

interface Staying {
  /** Resolves to all that it has printed when that is what the document shows. */
  untilPrinted(step: ShellStep, at: string): Promise<string>;
  /** Ctrl-C; resolves when all that it has started is gone. */
  interrupt(): Promise<void>;
}

/** Runs a command in a terminal of its own. */
function stay(command: string, cwd: string, env: Record<string, string>): Staying {
  const shell = spawn('bash', ['--norc', '-c', `${command} 2>&1`], {
    cwd,
    env: environment(env),
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return {
    async untilPrinted(step, at) {
      const { shown = '' } = step.commands[0]!;
      const pattern = patternOf(shown, { ...step, begins: true });
      let printed = '';
      const timer = setTimeout(() => killGroup(shell, 'SIGINT'), patience);
      for await (const line of createInterface({ input: shell.stdout! })) {
        printed += `${line}\n`;
        if (pattern.test(trimLines(printed))) {
          clearTimeout(timer);
          shell.stdout!.resume();
          return printed;
        }
      }
      throw new Error(`${at}: $ ${command}\nhas not printed what is shown, but:\n${printed}`);
    },
    async interrupt() {
      killGroup(shell, 'SIGINT');
      await ended(shell);
    },
  };
}

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid!, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** That it and whoever writes to its output are gone. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (!child.stdout!.closed) await once(child.stdout!, 'close');
}
