import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A bpffs of its own for a test, as the node's /sys/fs/bpf. */
export function bpffsFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-bpffs-'));
  execFileSync('mount', ['-t', 'bpf', 'bpf', directory]);
  t.after(() => {
    execFileSync('umount', [directory]);
    rmdirSync(directory);
  });
  return directory;
}

/** Everything that is pinned or made below a directory of it, less the files that the kernel puts there. */
export function pinned(bpffs: string): string[] {
  return readdirSync(bpffs, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.endsWith('.debug'))
    .sort();
}
