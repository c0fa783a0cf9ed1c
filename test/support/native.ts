import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const fixtures = join(import.meta.dirname, '../fixtures');

/** Compiles a program of test/fixtures for this machine, at a path of its own until the test ends. */
export function compileNative(t: TestContext, source: string, ...flags: string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, source.replace(/\.c$/, ''));
  execFileSync('cc', ['-O1', ...flags, '-o', path, join(fixtures, source)]);
  return path;
}
