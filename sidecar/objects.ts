import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where the compiled objects and their metric specs are: beside the bundle in an image, in build/ when the
 * sources are run as they are.
 */
export const objectDirectory = import.meta.filename.endsWith('.ts')
  ? join(import.meta.dirname, '../build/bpf', process.arch)
  : join(import.meta.dirname, 'bpf');

/** Whether a built-in probe has programs. */
export function hasObject(name: string): boolean {
  return existsSync(join(objectDirectory, `${name}.bpf.o`));
}

/** The ELF of one of our objects, e.g. `syscalls` or `dispatchers/task`. */
export function readObject(name: string): Buffer {
  return readFileSync(join(objectDirectory, `${name}.bpf.o`));
}

/** The metric spec of a built-in probe, which the build has turned from YAML into JSON. */
export function readSpec(name: string): unknown {
  return JSON.parse(readFileSync(join(objectDirectory, `${name}.json`), 'utf8'));
}
