import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  AdmissionregistrationV1Api,
  CoreV1Api,
  type V1Pod,
  type V1VolumeMount,
} from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { startWebhook } from '../../scripts/demo/webhook.ts';
import { injectedLabel, statusAnnotation } from '../../sidecar/contract/annotations.ts';
import { containerName } from '../../sidecar/contract/pod.ts';
import { decide } from '../../webhook/admission/decide.ts';
import { parse as parseSamples } from '../../webhook/cli/top/samples.ts';
import { injectionConfig } from '../../webhook/config.ts';
import { testCluster } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { createClient } from '../webhook/client.ts';
import { askingPod, podNames, readPod } from '../webhook/fixtures.ts';

const root = join(import.meta.dirname, '../..');
const image = 'example.com/bpf-sidecar:test';

const cluster = await testCluster();
const skip = cluster.cannotCallUs;
const core = cluster.config.makeApiClient(CoreV1Api);
const namespace = await cluster.createNamespace();
const webhook = await startWebhook(image);
cluster.defer(() => webhook.terminate(5));
if (!skip) await register();

/** Has the API server ask the webhook about pods of the namespace that have the annotation, and insist on an answer. */
async function register(): Promise<void> {
  const api = cluster.config.makeApiClient(AdmissionregistrationV1Api);
  const name = `bpf-sidecar-${namespace}`;
  await api.createMutatingWebhookConfiguration({
    body: {
      metadata: { name },
      webhooks: [
        {
          name: 'pods.bpf.sh',
          clientConfig: {
            url: `${webhook.url}/mutate`,
            caBundle: Buffer.from(webhook.ca).toString('base64'),
          },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
          matchConditions: [
            {
              name: 'asks-for-the-sidecar',
              expression: "'bpf.sh/inject' in object.metadata.?annotations.orValue({})",
            },
          ],
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          failurePolicy: 'Fail',
          reinvocationPolicy: 'IfNeeded',
        },
      ],
    },
  });
  cluster.defer(() => api.deleteMutatingWebhookConfiguration({ name }));
  // The API server learns of it in its own time.
  await eventually(async () =>
    assert.deepEqual(initContainers(await create(askingPod(), { dryRun: 'All' })), [containerName]),
  );
}

function create(pod: V1Pod, options: { dryRun?: 'All' } = {}): Promise<V1Pod> {
  return core.createNamespacedPod({ namespace, body: pod, fieldValidation: 'Strict', ...options });
}

/** The reviews that the webhook has answered by now, by result and reason. */
async function admissions(): Promise<Record<string, number>> {
  const { body } = await createClient(webhook.url, webhook.ca)({ path: '/metrics' });
  const samples = parseSamples(body).filter(({ name }) => name === 'bpf_webhook_admissions_total');
  return Object.fromEntries(
    samples.map(({ labels, value }) => [[labels.result, labels.reason].filter(Boolean).join(' '), value]),
  );
}

/** What `action` adds to the reviews. */
async function admissionsOf(action: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await admissions();
  await action();
  const more = Object.entries(await admissions()).map(
    ([outcome, value]) => [outcome, value - (before[outcome] ?? 0)] as const,
  );
  return Object.fromEntries(more.filter(([, value]) => value > 0));
}

function initContainers(pod: V1Pod): string[] | undefined {
  return pod.spec!.initContainers?.map(({ name }) => name);
}

function named(name: string): V1Pod {
  const pod = askingPod();
  return { ...pod, metadata: { ...pod.metadata, name } };
}

const skipped = { skip };

test(
  'a pod that asks is stored with the sidecar, of which the webhook is asked once, as the API server leaves it alone',
  skipped,
  async () => {
    const outcomes = await admissionsOf(() => create(askingPod({ probes: 'network,tcp' })));
    assert.deepEqual(outcomes, { injected: 1 });

    const { metadata, spec } = await core.readNamespacedPod({ name: 'web', namespace });
    assert.deepEqual(
      spec!.initContainers!.map(({ name, image, restartPolicy }) => ({ name, image, restartPolicy })),
      [{ name: containerName, image, restartPolicy: 'Always' }],
    );
    assert.deepEqual(
      spec!.containers.map(({ name }) => name),
      ['web'],
    );
    const token = '/var/run/secrets/kubernetes.io/serviceaccount';
    const mountedAt = (mounts: V1VolumeMount[]) => mounts.find(({ mountPath }) => mountPath === token)?.name;
    assert.equal(mountedAt(spec!.initContainers![0]!.volumeMounts!), 'bpf-sidecar-podinfo');
    assert.match(mountedAt(spec!.containers[0]!.volumeMounts!)!, /^kube-api-access-/);
    assert.equal(metadata!.labels![injectedLabel], 'true');
    const status = JSON.parse(metadata!.annotations![statusAnnotation]!);
    assert.deepEqual([status.container, status.probes], [containerName, ['network', 'tcp']]);
    const volumes = spec!.volumes!.map(({ name }) => name);
    assert.deepEqual(
      status.volumes.filter((name: string) => !volumes.includes(name)),
      [],
    );
  },
);

test('a pod that does not ask never reaches the webhook', skipped, async () => {
  const pod = askingPod();
  pod.metadata = { name: 'plain', annotations: { 'example.com/inject': 'true' } };
  assert.deepEqual(await admissionsOf(() => create(pod)), {});
  const { spec } = await core.readNamespacedPod({ name: 'plain', namespace });
  assert.equal(spec!.initContainers, undefined);
});

test('a dry run shows the sidecar and stores nothing', skipped, async () => {
  assert.deepEqual(initContainers(await create(named('tried'), { dryRun: 'All' })), [containerName]);
  await assert.rejects(core.readNamespacedPod({ name: 'tried', namespace }), { code: 404 });
});

test('the manifest of a pod that has its sidecar can be created again', skipped, async () => {
  const { metadata, spec } = await create(named('first'));
  const { labels, annotations } = metadata!;
  const again = { ...askingPod(), metadata: { name: 'second', labels, annotations }, spec };
  let second: V1Pod | undefined;
  const outcomes = await admissionsOf(async () => {
    second = await create(again);
  });
  assert.deepEqual(outcomes, { 'skipped already-injected': 1 });
  assert.deepEqual(second!.spec, spec);
});

test('who makes a mistake in an annotation is told, and gets the pod', skipped, async () => {
  const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All`;
  const pod = askingPod({ probes: 'netwrok' });
  pod.metadata.name = 'mistaken';
  const { status, body, warnings } = await cluster.call('POST', path, pod);
  assert.equal(status, 201);
  assert.equal(initContainers(body), undefined);
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0]!,
    /^299 - "bpf-sidecar not injected \(invalid-annotation\): annotation bpf\.sh\/probes=/,
  );
});

/** The pods in the manifests that a reader can apply. */
const examples = globSync('examples/**/*.yaml', { cwd: root }).flatMap((file) =>
  parseAllDocuments(readFileSync(join(root, file), 'utf8'))
    .map((document) => document.toJS())
    .filter(({ kind }) => kind === 'Pod')
    .map((pod) => [file, pod] as const),
);

/** The pods of the webhook's golden files; of the one with fields that no API server knows, the settings. */
const fixtures = podNames.map((name) => {
  const pod = readPod(name);
  if (name !== 'all-settings') return [name, pod] as const;
  const settings = Object.entries(pod.metadata.annotations).filter(([key]) => key.startsWith('bpf.sh/'));
  const { metadata, spec } = askingPod();
  const annotations = Object.fromEntries(settings);
  return [name, { metadata: { ...metadata, annotations, labels: pod.metadata.labels }, spec }] as const;
});

for (const [what, { metadata, spec }] of [...examples, ...fixtures]) {
  test(`the API server takes the sidecar in the pod of ${what}`, skipped, async () => {
    const { namespace: _, ...rest } = metadata;
    const name = metadata.name && `${metadata.name}-tried`;
    const { metadata: stored } = await create({ metadata: { ...rest, name }, spec }, { dryRun: 'All' });
    const expected = decide({ metadata, spec }, injectionConfig(image)).inject ? 'true' : undefined;
    assert.equal(stored!.labels?.[injectedLabel], expected);
  });
}
