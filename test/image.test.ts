import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { sidecarEnvironment, sidecarFlags } from '../scripts/image.ts';

const dockerfile = readFileSync(join(import.meta.dirname, '../Dockerfile'), 'utf8');
const [, webhook = '', sidecar = ''] = dockerfile.split(/^FROM scratch AS .*$/m);

function entrypointOf(stage: string): string[] {
  return JSON.parse(/^ENTRYPOINT (.*)$/m.exec(stage)![1]!);
}

test('the image of the sidecar starts Node as it is measured', () => {
  const [node, ...rest] = entrypointOf(sidecar);
  assert.equal(node, '/usr/local/bin/node');
  assert.deepEqual(rest, [...sidecarFlags, '/usr/lib/bpf-sidecar/bpf-sidecar.cjs']);
  const environment = Object.entries(sidecarEnvironment).map(([name, value]) => `ENV ${name}=${value}`);
  assert.deepEqual(sidecar.match(/^ENV .*$/gm), environment);
});

test('the webhook is no root in its image', () => {
  assert.deepEqual(webhook.match(/^USER .*$/gm), ['USER 65532:65532']);
});
