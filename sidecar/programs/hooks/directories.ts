import { accessSync, constants, rmdirSync, statfsSync } from 'node:fs';

/** <linux/magic.h> */
const BPF_FS_MAGIC = 0xcafe4a11;

/** Why nothing can be pinned below a path; undefined when it can. */
export function whyNoPins(path: string): string | undefined {
  try {
    if (statfsSync(path).type !== BPF_FS_MAGIC) return `${path} is no bpffs`;
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    return `${path}: ${(error as Error).message}`;
  }
}

export function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Somebody is in it, or it is not there.
  }
}
