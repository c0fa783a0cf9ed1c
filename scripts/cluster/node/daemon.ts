import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { failure } from '../../node/child.ts';
import { enclosed } from './enclosure.ts';
import { directory } from './place.ts';

export const logDirectory = join(directory, 'logs');

/** A program of the node that goes on when we have ended. */
export interface Daemon {
  /** Resolves when `isReady` first returns true; rejects when the daemon ends before or the time is over. */
  until(isReady: () => boolean | Promise<boolean>, timeoutSeconds?: number): Promise<void>;
}

const period = 100;
const shownLines = 15;

/** Starts a program in the enclosure, with flags in the manner of Go; what it writes is in a file of its name. */
export function startDaemon(
  name: string,
  binary: string,
  flags: Readonly<Record<string, string | number | boolean>>,
): Daemon {
  mkdirSync(logDirectory, { recursive: true });
  const log = join(logDirectory, `${name}.log`);
  const file = openSync(log, 'a');
  const argv = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  const [program, ...rest] = enclosed(directory, [binary, ...argv]);
  const child = spawn(program!, rest, { stdio: ['ignore', file, file], detached: true });
  closeSync(file);
  let outcome: string | undefined;
  child.once('error', (error) => {
    outcome = `could not be started: ${error.message}`;
  });
  child.once('exit', (code, signal) => {
    outcome = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  });
  child.unref();

  const lastLines = () => readFileSync(log, 'utf8').trimEnd().split('\n').slice(-shownLines).map(shorten);
  return {
    async until(isReady, timeoutSeconds = 120) {
      const end = performance.now() + timeoutSeconds * 1000;
      while (!(await isReady())) {
        if (outcome !== undefined || performance.now() > end)
          throw new Error(failure(name, { outcome: () => outcome, lastLines }));
        await setTimeout(period);
      }
    },
  };
}

function shorten(line: string): string {
  return line.slice(0, 500);
}
