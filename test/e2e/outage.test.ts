import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { temporaryDirectory } from '../../scripts/cluster/directory.ts';
import { reviewOf } from '../../scripts/node/review.ts';
import { readBundle } from '../../webhook/certificates/pem.ts';
import { testCluster } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { startReplica } from '../support/replica.ts';
import { unsteadyRoad } from '../support/unsteady.ts';
import { createClient, mutateCall } from '../webhook/client.ts';
import { askingPod, type Raw } from '../webhook/fixtures.ts';

const cluster = await testCluster();
const namespace = await cluster.createNamespace();
const later = { 'pod-security.kubernetes.io/enforce': 'baseline' };
const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
const name = `outage-${namespace}`;

/** A replica of the webhook, whose road to the API server can fail. */
async function startUnsteadyReplica() {
  const { server } = cluster.config.getCurrentCluster()!;
  const road = await unsteadyRoad(Number(new URL(server).port));
  cluster.defer(road.close);
  const directory = temporaryDirectory('bpf-sidecar-outage-');
  cluster.defer(directory.remove);
  const write = (called: string, text: string) => {
    const path = join(directory.path, called);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const ours = readFileSync(cluster.kubeconfig, 'utf8');
  const { address } = await startReplica(cluster, {
    kubeconfig: write('kubeconfig', ours.replaceAll(server, `https://127.0.0.1:${road.port}`)),
    config: write(
      'config.yaml',
      stringify({
        sidecar: { image: 'bpf-sidecar:test' },
        monitors: { kind: 'PodMonitor', scope: 'namespace' },
        certificate: {
          authoritySecret: { namespace, name: 'ca' },
          dnsNames: ['127.0.0.1'],
          webhookConfigurations: { mutating: [name], validating: [] },
        },
      }),
    ),
  });
  return { road, address };
}

/** Its answer to a pod of the namespace: `injected`, or the reason why not. */
async function answerOf(address: string, ca: string): Promise<string> {
  const { body, status } = await createClient(address, ca)(mutateCall(reviewOf(askingPod(), 'u', namespace)));
  assert.equal(status, 200, body);
  const { auditAnnotations } = JSON.parse(body).response;
  return auditAnnotations.reason ?? auditAnnotations.result;
}

async function setLabels(labels: Record<string, string>): Promise<void> {
  const { body } = await cluster.call('GET', `/api/v1/namespaces/${namespace}`);
  const metadata = { ...body.metadata, labels: { ...body.metadata.labels, ...labels } };
  const { status } = await cluster.call('PUT', `/api/v1/namespaces/${namespace}`, { ...body, metadata });
  assert.equal(status, 200);
}

test('a webhook whose API server is gone, hangs or comes and goes answers by what it knew, and then by what it missed', async () => {
  const webhooks = [
    {
      name: 'pods.bpf.sh',
      clientConfig: { url: 'https://127.0.0.1:1/mutate' },
      rules: [],
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    },
  ];
  const { status } = await cluster.call('POST', configurations, { metadata: { name }, webhooks });
  assert.equal(status, 201);
  cluster.defer(() => cluster.call('DELETE', `${configurations}/${name}`));
  const { road, address } = await startUnsteadyReplica();
  const bundle = async (): Promise<string> => {
    const { body } = await cluster.call('GET', `${configurations}/${name}`);
    return Buffer.from((body as Raw).webhooks[0].clientConfig.caBundle, 'base64').toString();
  };
  const ca = await bundle();
  assert.equal(readBundle(ca).length, 1);
  const ready = async () => (await createClient(address, ca)({ path: '/readyz' })).status;
  assert.equal(await answerOf(address, ca), 'injected');

  for (const mood of ['gone', 'hung'] as const) {
    await setLabels({ ...later, 'pod-security.kubernetes.io/enforce': 'privileged' });
    await eventually(async () => assert.equal(await answerOf(address, ca), 'injected'));
    road.turn(mood);
    await setLabels(later);
    assert.equal(await ready(), 200, 'a replica that is not ready would take no admission at all');
    assert.equal(await answerOf(address, ca), 'injected');
    road.turn('steady');
    await eventually(async () => assert.equal(await answerOf(address, ca), 'pod-security'));
  }

  for (let turn = 0; turn < 20; turn++) {
    road.turn(turn % 2 === 0 ? 'gone' : 'steady');
    await setLabels({ 'bpf.sh/turn': `${turn}` });
    assert.equal(await answerOf(address, ca), 'pod-security');
  }
  await setLabels({ 'pod-security.kubernetes.io/enforce': 'privileged' });
  await eventually(async () => assert.equal(await answerOf(address, ca), 'injected'));
  assert.equal(await bundle(), ca);
});
