import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const script = join(import.meta.dirname, '../../scripts/cluster.ts');
const empty = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
after(() => rmSync(empty, { recursive: true }));

function run(...argv: string[]) {
  const env = { PATH: empty, XDG_CACHE_HOME: empty };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...argv], {
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('without Go npm run cluster says what to do', () => {
  assert.deepEqual(run(), {
    status: 1,
    stdout: '',
    stderr:
      'cluster: Go is missing: install it as https://go.dev/doc/install tells, or set KUBECONFIG to the cluster to test on\n',
  });
});

test('an option that npm run cluster does not have is one sentence', () => {
  const { status, stderr } = run('--crds');
  assert.equal(status, 2);
  assert.match(stderr, /^cluster: Unknown option '--crds'.*; see --help\n$/);
});
