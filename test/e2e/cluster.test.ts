import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { call } from '../../scripts/cluster/call.ts';
import { eventually } from '../support/eventually.ts';

const root = join(import.meta.dirname, '../..');

/** Starts `npm run cluster`, as it is after its set-up, and waits for its kubeconfig. */
async function startCluster(...argv: string[]) {
  const child = spawn(process.execPath, [join(root, 'scripts/cluster.ts'), ...argv]);
  after(() => child.kill());
  child.stderr.pipe(process.stderr);
  for await (const line of createInterface({ input: child.stdout })) {
    const [, kubeconfig] = /^kubeconfig: (.*)$/.exec(line) ?? [];
    if (kubeconfig === undefined) continue;
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    return { child, directory: dirname(kubeconfig), config };
  }
  throw new Error('npm run cluster ended before it was ready');
}

test('npm run cluster is a cluster of the version that go.mod asks for, with the CRDs of monitors on request', async () => {
  const { child, config } = await startCluster('--monitor-crds');
  const goMod = readFileSync(join(root, 'test/e2e/cluster/go.mod'), 'utf8');
  const { body } = await call(config, 'GET', '/version');
  assert.match(goMod, new RegExp(`^require k8s\\.io/kubernetes ${body.gitVersion}$`, 'm'));
  await eventually(async () => {
    const { body } = await call(config, 'GET', '/apis/monitoring.coreos.com/v1');
    const kinds = (body.resources ?? []).map(({ kind }: { kind: string }) => kind);
    assert.deepEqual([...new Set(kinds)].toSorted(), ['PodMonitor', 'PrometheusRule', 'ServiceMonitor']);
  });
  child.kill('SIGINT');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

for (const [signal, end] of [
  ['SIGINT', [0, null]],
  ['SIGKILL', [null, 'SIGKILL']],
] as const) {
  test(`${signal} leaves neither files nor a server behind`, async () => {
    const { child, directory, config } = await startCluster();
    assert.equal((await call(config, 'GET', '/version')).status, 200);
    child.kill(signal);
    assert.deepEqual(await once(child, 'exit'), end);
    await eventually(() => assert.ok(!existsSync(directory)));
    await eventually(() => assert.rejects(call(config, 'GET', '/version'), { code: 'ECONNREFUSED' }));
  });
}
