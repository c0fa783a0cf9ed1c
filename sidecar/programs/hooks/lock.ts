import { closeSync, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { errno } from '../../libbpf/memory.ts';
import { libc } from '../../libbpf/native.ts';
import { removeIfEmpty } from './directories.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = 11;
const EINTR = 4;

/** How long the others may take together: a hundred sidecars that start at once need a few seconds. */
const patience = 15_000;
const pause = { min: 2, max: 20 };

/**
 * Locks a directory, which is made where it is missing, against every other process of the node that asks for
 * it (flock(2)): the kernel gives it back when its holder dies. Resolves to a function that unlocks it, and removes it
 * and the one above it where they are empty, or to undefined when the others did not let go of it in time. Throws when
 * the directory cannot be made.
 */
export async function lockDirectory(path: string): Promise<(() => void) | undefined> {
  const deadline = performance.now() + patience;
  do {
    const fd = openDirectory(path);
    if (fd !== undefined) {
      if (lock(fd) && isSame(fd, path)) return () => unlock(fd, path);
      closeSync(fd);
    }
    await setTimeout(pause.min + Math.random() * (pause.max - pause.min));
  } while (performance.now() < deadline);
  return undefined;
}

/** Undefined when another has just removed it, or a directory above it, because it was the last there. */
function openDirectory(path: string): number | undefined {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function lock(fd: number): boolean {
  if (libc.flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const error = errno();
  if (error === EWOULDBLOCK || error === EINTR) return false;
  throw new Error(`a directory cannot be locked: error ${error}`);
}

function unlock(fd: number, path: string): void {
  // Where somebody has removed the directory, one at the same path is another's, who may have locked it.
  if (isSame(fd, path)) {
    removeIfEmpty(path);
    removeIfEmpty(dirname(path));
  }
  closeSync(fd);
}

/** The last one to leave removes the directory, and one that was waiting then holds a lock that means nothing. */
function isSame(fd: number, path: string): boolean {
  const [locked, there] = [fstatSync(fd), statSync(path, { throwIfNoEntry: false })];
  return there?.ino === locked.ino && there.dev === locked.dev;
}
