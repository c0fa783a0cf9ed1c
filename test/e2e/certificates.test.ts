import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { containerName } from '../../sidecar/contract/pod.ts';
import { keepConfiguredCertificate } from '../../webhook/certificates/configured.ts';
import { readBundle } from '../../webhook/certificates/pem.ts';
import type { Authorities } from '../../webhook/certificates/rotation.ts';
import { type Schedule, schedule as usual } from '../../webhook/certificates/schedule.ts';
import { readSecret } from '../../webhook/certificates/secret.ts';
import { type Bundles, createBundleStore, createSecretStore } from '../../webhook/certificates/stores.ts';
import { type Api, createApi } from '../../webhook/kubernetes/client.ts';
import { createMetrics } from '../../webhook/metrics.ts';
import { createMutate } from '../../webhook/reviews/mutate.ts';
import { close, createServer, listen } from '../../webhook/server.ts';
import { testCluster } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { askingPod, config as injection, type Raw } from '../webhook/fixtures.ts';

const second = 1_000;
/** All but the life of a CA is short: a change of the CA takes half a minute here. */
const schedule: Schedule = {
  ...usual,
  leafLifetime: 24 * second,
  publication: 2 * second,
  retention: 27 * second,
  interval: second,
};

const cluster = await testCluster();
const skipped = { skip: cluster.cannotCallUs };
const admin = createApi(cluster.config);
const namespace = await cluster.createNamespace();
/** Of everything here that has no namespace. */
const name = `certificates-${namespace}`;
const secretName = 'bpf-sidecar-ca';
const configurations = '/apis/admissionregistration.k8s.io/v1';
const rbac = '/apis/rbac.authorization.k8s.io/v1';

const replicas = cluster.cannotCallUs ? [] : await startReplicas(2);

/** What docs/certificates.md says that the webhook needs to be allowed, and nothing else. */
async function createAccount(): Promise<Api> {
  const metadata = { name: 'webhook' };
  await create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata });
  const subjects = [{ kind: 'ServiceAccount', name: 'webhook', namespace }];
  const verbs = ['get', 'list', 'watch', 'patch'];
  await create(`${rbac}/namespaces/${namespace}/roles`, {
    metadata,
    rules: [
      { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
      { apiGroups: [''], resources: ['secrets'], resourceNames: [secretName], verbs },
    ],
  });
  await create(`${rbac}/namespaces/${namespace}/rolebindings`, {
    metadata,
    subjects,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'webhook' },
  });
  await create(`${rbac}/clusterroles`, {
    metadata: { name },
    rules: [
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
        resourceNames: [name],
        verbs,
      },
    ],
  });
  await create(`${rbac}/clusterrolebindings`, {
    metadata: { name },
    subjects,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
  });
  cluster.defer(async () => {
    for (const kind of ['clusterroles', 'clusterrolebindings'])
      await admin.call({ method: 'DELETE', path: `${rbac}/${kind}/${name}` });
  });
  return apiOf('webhook');
}

/** The API server for a service account. */
async function apiOf(account: string): Promise<Api> {
  const { status } = await create(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
    spec: {},
  });
  const config = new KubeConfig();
  config.loadFromClusterAndUser(cluster.config.getCurrentCluster()!, { name: account, token: status.token });
  return createApi(config);
}

/** Two replicas of the webhook that start at once, where nothing is there yet. */
async function startReplicas(count: number): Promise<string[]> {
  const api = await createAccount();
  return Promise.all(
    Array.from({ length: count }, async () => {
      const metrics = createMetrics();
      const log = () => {};
      const admission = {
        config: { sidecar: injection, invalidAnnotations: 'admit' as const },
        metrics,
        log,
      };
      const server = createServer({ answers: { '/mutate': createMutate(admission) }, metrics, log });
      // So that each admission begins with a handshake.
      server.maxRequestsPerSocket = 1;
      const url = await listen(server, 0, '127.0.0.1');
      const keeper = keepConfiguredCertificate({
        config: {
          authoritySecret: { namespace, name: secretName },
          dnsNames: ['127.0.0.1'],
          webhookConfigurations: { mutating: [name], validating: [name] },
        },
        api,
        server,
        metrics,
        log,
        schedule,
      });
      cluster.defer(async () => {
        keeper.stop();
        await close(server, 0);
      });
      await keeper.ready;
      return url;
    }),
  );
}

/** As a chart has it, without a bundle. Every replica is a webhook of its own, so that each is called for every pod. */
function configuration(kind: 'Mutating' | 'Validating'): Raw {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: `${kind}WebhookConfiguration`,
    metadata: { name },
    webhooks: replicas.map((url, index) => ({
      name: `replica-${index}.bpf.sh`,
      clientConfig: { url: `${url}/mutate` },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      // The path is that of a mutating webhook; the other configuration is there for its bundle.
      matchConditions: [{ name: 'mutating', expression: kind === 'Mutating' ? 'true' : 'false' }],
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Fail',
    })),
  };
}

const kinds = ['Mutating', 'Validating'] as const;
const pathOf = (kind: string) => `${configurations}/${kind.toLowerCase()}webhookconfigurations/${name}`;
const secretPath = `/api/v1/namespaces/${namespace}/secrets/${secretName}`;

function create(path: string, body: object): Promise<Raw> {
  return admin.call({ method: 'POST', path, body });
}

/** As Argo CD and `helm --server-side` do. */
function apply(kind: 'Mutating' | 'Validating'): Promise<Raw> {
  return admin.call({
    method: 'PATCH',
    path: pathOf(kind),
    query: { fieldManager: 'chart', force: true },
    contentType: 'application/apply-patch+yaml',
    body: configuration(kind),
  });
}

async function authorities(): Promise<Authorities | undefined> {
  const secret = await createSecretStore(admin, { namespace, name: secretName }).read();
  return secret && readSecret(secret.content).authorities;
}

async function bundles(kind: 'mutating' | 'validating'): Promise<Bundles> {
  return (await createBundleStore(admin, kind, name).read())!.content;
}

/** The CAs in the bundles of both configurations, which all have the same. */
async function bundle(): Promise<string[]> {
  const all = new Set([...(await bundles('mutating')), ...(await bundles('validating'))]);
  assert.equal(all.size, 1);
  return readBundle([...all][0]!).map(({ cert }) => cert);
}

/** What goes wrong when a pod is created that asks for the sidecar. */
async function admissionProblem(): Promise<string | undefined> {
  const { status, body } = await cluster.call(
    'POST',
    `/api/v1/namespaces/${namespace}/pods?dryRun=All`,
    askingPod(),
  );
  if (status !== 201) return body.message;
  const names = body.spec.initContainers?.map((container: Raw) => container.name);
  return names?.[0] === containerName ? undefined : `init containers: ${names}`;
}

const admitted = () => eventually(async () => assert.equal(await admissionProblem(), undefined));

test(
  'two replicas that start at once have one CA, which is in the bundle as soon as there is one',
  skipped,
  async () => {
    const { current, ...others } = (await authorities())!;
    assert.deepEqual(others, {});
    for (const kind of kinds) {
      await apply(kind);
      cluster.defer(() => admin.call({ method: 'DELETE', path: pathOf(kind) }));
    }
    await eventually(async () => assert.deepEqual(await bundle(), [current.cert]));
    await admitted();
    assert.equal((await authorities())!.current.cert, current.cert);
  },
);

test('the bundle is ours alone: applying the configuration again changes nothing', skipped, async () => {
  for (const kind of kinds) {
    const before: Raw = await admin.call({ path: pathOf(kind) });
    assert.deepEqual(await apply(kind), before);
    const { fieldsV1 } = before.metadata.managedFields.find((entry: Raw) => entry.manager === 'bpf-sidecar');
    const field = { 'f:clientConfig': { 'f:caBundle': {} } };
    assert.deepEqual(fieldsV1, {
      'f:webhooks': Object.fromEntries(
        replicas.map((_, index) => [`k:{"name":"replica-${index}.bpf.sh"}`, field]),
      ),
    });
  }
});

test('a Secret that is deleted comes back and gets another CA, and every pod is admitted meanwhile', {
  ...skipped,
  timeout: 180 * second,
}, async (t) => {
  const { current: old } = (await authorities())!;
  const problems: string[] = [];
  let pods = 0;
  let done = false;
  const load = [0, 1].map(async () => {
    while (!done) {
      const problem = await admissionProblem();
      if (problem) problems.push(problem);
      pods++;
    }
  });

  /** Which CAs there were at a time, and how many of them API servers were told to trust. */
  const seen = new Set<string>();
  try {
    await admin.call({ method: 'DELETE', path: secretPath });
    for (;;) {
      const kept = await authorities();
      const [called] = await bundles('mutating');
      if (kept) seen.add(`${Object.keys(kept)}: ${readBundle(called!).length}`);
      if (kept && kept.current.cert !== old.cert && !kept.previous) break;
      await delay(50);
    }
    const { current } = (await authorities())!;
    await eventually(async () => assert.deepEqual(await bundle(), [current.cert]));
    await admitted();
  } finally {
    done = true;
    await Promise.all(load);
  }

  assert.deepEqual(problems, []);
  t.diagnostic(`${pods} pods`);
  assert.ok(pods > 100);
  for (const state of ['current,next: 2', 'previous,current: 2'])
    assert.ok(seen.has(state), [...seen].join(' '));
});

test('a bundle that somebody has emptied is filled again at once', skipped, async () => {
  const before = await bundle();
  for (const kind of kinds) {
    const { metadata }: Raw = await admin.call({ path: pathOf(kind) });
    const body = { ...configuration(kind), metadata: { name, resourceVersion: metadata.resourceVersion } };
    await admin.call({ method: 'PUT', path: pathOf(kind), body });
  }
  await eventually(async () => assert.deepEqual(await bundle(), before));
  await admitted();
});

test('a Secret is written only as it was read, and what others have put beside the data stays', async () => {
  const store = createSecretStore(admin, { namespace, name: 'other' });
  const path = `/api/v1/namespaces/${namespace}/secrets/other`;
  assert.equal(await store.read(), undefined);
  assert.equal(await store.write({ a: '1' }, undefined), true);
  assert.equal(await store.write({ a: '2' }, undefined), false, 'it is there');
  const { content, version } = (await store.read())!;
  assert.deepEqual(content, { a: '1' });

  await admin.call({
    method: 'PATCH',
    path,
    contentType: 'application/merge-patch+json',
    body: { metadata: { labels: { team: 'x' } } },
  });
  assert.equal(await store.write({ b: '3' }, version), false, 'it has changed');
  assert.equal(await store.write({ b: '3' }, (await store.read())!.version), true);
  const secret: Raw = await admin.call({ path });
  assert.deepEqual(secret.data, { b: Buffer.from('3').toString('base64') });
  assert.deepEqual(secret.metadata.labels, { 'app.kubernetes.io/managed-by': 'bpf-sidecar', team: 'x' });

  await admin.call({ method: 'DELETE', path });
  assert.equal(await store.write({ c: '4' }, version), false, 'it is gone');
});

test('what the API server refuses is said in its words', async () => {
  const api = await apiOf('default');
  const store = createSecretStore(api, { namespace, name: secretName });
  const refusal = (verb: string) =>
    `is forbidden: User "system:serviceaccount:${namespace}:default" cannot ${verb} resource "secrets" in API group "" in the namespace "${namespace}"`;
  await assert.rejects(store.read(), {
    message: `cannot read Secret ${namespace}/${secretName}: secrets "${secretName}" ${refusal('get')}`,
  });
  await assert.rejects(store.write({}, undefined), {
    message: `cannot make Secret ${namespace}/${secretName}: secrets ${refusal('create')}`,
  });
});
