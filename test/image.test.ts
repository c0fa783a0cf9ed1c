import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { sidecarEnvironment, sidecarFlags, webhookEnvironment, webhookFlags } from '../scripts/image.ts';

const dockerfile = readFileSync(join(import.meta.dirname, '../Dockerfile'), 'utf8');
const [, webhook = '', sidecar = ''] = dockerfile.split(/^FROM scratch AS .*$/m);

for (const [half, stage, flags, environment] of [
  ['webhook', webhook, webhookFlags, webhookEnvironment],
  ['sidecar', sidecar, sidecarFlags, sidecarEnvironment],
] as const)
  test(`the image of the ${half} starts Node as it is measured`, () => {
    const [node, ...rest] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(stage)![1]!);
    assert.equal(node, '/usr/local/bin/node');
    assert.deepEqual(rest, [...flags, '/usr/lib/bpf-sidecar/bpf-sidecar.cjs']);
    assert.deepEqual(
      stage.match(/^ENV .*$/gm),
      Object.entries(environment).map(([name, value]) => `ENV ${name}=${value}`),
    );
  });

test('the webhook is no root in its image', () => {
  assert.deepEqual(webhook.match(/^USER .*$/gm), ['USER 65532:65532']);
});
