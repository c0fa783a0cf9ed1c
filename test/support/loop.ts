import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

/** A block device of 16 MiB whose blocks are in a file that is made for it. */
export interface LoopDevice {
  path: string;
  /** As the kernel calls it: `loop0`. */
  name: string;
  detach(): void;
}

/** Throws where there are no loop devices. */
export function makeLoopDevice(file: string): LoopDevice {
  writeFileSync(file, '');
  truncateSync(file, 16 << 20);
  const path = execFileSync('losetup', ['--find', '--show', file], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
  return { path, name: basename(path), detach: () => execFileSync('losetup', ['--detach', path]) };
}
