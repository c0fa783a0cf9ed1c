import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A process, the last of what it wrote, and how it ended. */
export interface Child {
  /** The last lines of its output and errors, oldest first. */
  lastLines(): string[];
  /** Resolves, and never rejects, with words that follow its name: `ended with exit code 1`. */
  ended: Promise<string>;
  /** As `ended`, without waiting: undefined while it runs. */
  outcome(): string | undefined;
  /** SIGTERM, and SIGKILL when it has not ended after the grace period. */
  terminate(graceSeconds: number): Promise<void>;
}

const keptLines = 25;
const keptCharacters = 500;

/**
 * Watches a process from its start; `onLine` sees each line of its standard output, and `isTelling` each of its errors, of
 * which those are none of its last lines for which it is false.
 */
export function watch(
  child: ChildProcess,
  onLine?: (line: string) => void,
  isTelling: (line: string) => boolean = () => true,
): Child {
  const lines: string[] = [];
  const keep = (line: string) => {
    lines.push(line.slice(0, keptCharacters));
    if (lines.length > keptLines) lines.shift();
  };
  if (child.stderr) createInterface(child.stderr).on('line', (line) => isTelling(line) && keep(line));
  if (child.stdout)
    createInterface(child.stdout).on('line', (line) => {
      keep(line);
      onLine?.(line);
    });

  let outcome: string | undefined;
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    // Unlike `exit`, `close` comes when the last line has been read.
    child.once('close', (code, signal) =>
      resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
    );
  }).then((words) => {
    outcome = words;
    return words;
  });

  return {
    lastLines: () => [...lines],
    ended,
    outcome: () => outcome,
    async terminate(graceSeconds) {
      child.kill('SIGTERM');
      const patience = setTimeout(() => child.kill('SIGKILL'), graceSeconds * 1000);
      await ended;
      clearTimeout(patience);
    },
  };
}

/** Why a process that should still run does not, with its own last words. */
export function failure(name: string, child: Pick<Child, 'lastLines' | 'outcome'>): string {
  const lines = child.lastLines();
  const said =
    lines.length === 0
      ? ' and wrote nothing'
      : `; it wrote:\n${lines.map((line) => `    ${line}`).join('\n')}`;
  return `${name} ${child.outcome() ?? 'does not answer'}${said}`;
}
