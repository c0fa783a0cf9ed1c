import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchNamespaces } from '../../../webhook/kubernetes/namespaces.ts';
import { startApiServer } from './api-server.ts';

test('a namespace is unknown until it is listed, and of its labels those are kept that are minded', async (t) => {
  const minded = { 'pod-security.kubernetes.io/enforce': 'baseline', 'bpf.sh/injection': 'enabled' };
  const namespace = (name: string, labels?: object) => ({ metadata: { name, labels } });
  const server = await startApiServer(({ path }) =>
    path.includes('watch=true')
      ? { status: 500, body: {} }
      : {
          status: 200,
          body: {
            metadata: { resourceVersion: '7' },
            items: [namespace('plain'), namespace('strict', { ...minded, team: 'shop' })],
          },
        },
  );
  t.after(() => server.close());
  const { watched, labelsOf } = watchNamespaces(server.api, () => {});
  t.after(() => watched.stop());
  assert.equal(labelsOf('plain'), 'unknown');
  await watched.synced;
  assert.deepEqual(labelsOf('plain'), {});
  assert.deepEqual(labelsOf('strict'), minded);
  assert.equal(labelsOf('other'), 'unknown');
  assert.match((await server.next()).path, /^\/api\/v1\/namespaces\?limit=/);
  // Before the silence of 150 s in which a watch is taken for dead.
  const [, seconds] = /watch=true.*&timeoutSeconds=(\d+)/.exec((await server.next()).path)!;
  assert.ok(Number(seconds) <= 120, `${seconds} s`);
});
