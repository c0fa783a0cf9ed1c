import { type ChildProcess, spawn } from 'node:child_process';

/** Starts a program in a directory, with flags in the manner of Go. It ends when we do, however that comes. */
export function spawnBound(
  program: string,
  directory: string,
  flags: Readonly<Record<string, string | number | boolean>>,
): ChildProcess {
  const argv = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return spawn('setpriv', ['--pdeathsig', 'KILL', program, ...argv], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C in the terminal is for us to handle.
    detached: true,
  });
}
