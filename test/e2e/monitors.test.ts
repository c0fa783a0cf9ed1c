import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { KubeConfig, RbacAuthorizationV1Api, type V1PolicyRule } from '@kubernetes/client-node';
import { Registry } from 'prom-client';
import { createMonitorCrds } from '../../scripts/cluster/crds.ts';
import { injectedManifest } from '../../scripts/scale/manifest.ts';
import type { Log } from '../../sidecar/contract/log.ts';
import type { MonitorsConfig } from '../../webhook/config-file.ts';
import { type Api, type ApiError, createApi } from '../../webhook/kubernetes/client.ts';
import { defaultTempo, keepMonitors } from '../../webhook/monitors/controller.ts';
import { allKinds, type Kind, kinds } from '../../webhook/monitors/kinds.ts';
import { shareInjectedPods } from '../../webhook/pods/injected-pods.ts';
import { testCluster } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import type { Raw } from '../webhook/fixtures.ts';
import { monitors } from '../webhook/monitors/pods.ts';

const cluster = await testCluster();
const skip = cluster.cannotCallUs && 'these tests change what is kept for all injected pods of a cluster';
const api = createApi(cluster.config);
const prometheusPage = new URL('../../docs/prometheus.md', import.meta.url);

interface Replica {
  lines: string[];
  /** How often something was `written`, `unchanged`, `deleted`, `failed`. */
  count(result: string): Promise<number>;
  metric(name: string): Promise<number>;
  stop(): void;
}

/** A controller as in one replica of the webhook, until the test ends. */
function replica(t: TestContext, changed: Partial<MonitorsConfig> = {}, via: Api = api): Replica {
  const registry = new Registry();
  const lines: string[] = [];
  const stopping = new AbortController();
  const log: Log = (level, msg, fields) => lines.push(`${level}: ${msg} ${JSON.stringify(fields)}`);
  keepMonitors({
    api: via,
    config: { ...monitors, ...changed },
    log,
    metrics: { registry },
    injectedPods: shareInjectedPods(via, log, stopping.signal),
    signal: stopping.signal,
    tempo: { ...defaultTempo, spread: 200, grace: 200 },
  });
  t.after(() => stopping.abort());
  const values = async (name: string) => (await registry.getSingleMetric(name)!.get()).values;
  return {
    lines,
    count: async (result) =>
      (await values('bpf_webhook_monitors_total')).find(({ labels }) => labels.result === result)!.value,
    metric: async (name) => (await values(name))[0]!.value,
    stop: () => stopping.abort(),
  };
}

/** Creates a pod as the webhook admits it; resolves to its metadata. */
async function createPod(namespace: string, name: string, annotations = {}): Promise<Raw> {
  const body = injectedManifest(name, annotations);
  const { metadata } = await api.call<Raw>({ method: 'POST', path: podsOf(namespace), body });
  return metadata;
}

async function deletePod(namespace: string, name: string): Promise<void> {
  // No kubelet is there to end it first.
  const query = { gracePeriodSeconds: 0 };
  await api.call({ method: 'DELETE', path: `${podsOf(namespace)}/${name}`, query });
}

const podsOf = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;

/** The objects of a kind in a namespace that are kept for pods; none when the kind is not installed. */
async function kept(namespace: string, kind: Kind): Promise<Raw[]> {
  const { root, plural } = kinds[kind];
  const path = `${root}/namespaces/${namespace}/${plural}`;
  const query = { labelSelector: 'bpf.sh/monitor' };
  const { items } = await api.call<Raw>({ path, query }).catch((error: ApiError) => {
    if (error.status === 404) return { items: [] };
    throw error;
  });
  return items;
}

/** The numbers of Services, ServiceMonitors and PodMonitors. */
async function numbers(namespace: string): Promise<number[]> {
  const objects = await Promise.all(allKinds.map((kind) => kept(namespace, kind)));
  return objects.map(({ length }) => length);
}

async function untilNumbers(namespace: string, ...expected: number[]): Promise<void> {
  await eventually(async () => assert.deepEqual(await numbers(namespace), expected));
}

/** What a write of any kind would change. */
async function versions(namespace: string): Promise<string[]> {
  const objects = await Promise.all(allKinds.map((kind) => kept(namespace, kind)));
  return objects.flat().map(({ metadata }) => `${metadata.uid} ${metadata.resourceVersion}`);
}

test('without the Prometheus Operator it says so, and begins once it is installed', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  const { lines, metric } = replica(t);
  await createPod(namespace, 'web');
  await eventually(() =>
    assert.deepEqual(lines, [
      'warn: the Prometheus Operator is not installed, monitors are made once it is {"crd":"servicemonitors.monitoring.coreos.com"}',
    ]),
  );
  assert.equal(await metric('bpf_webhook_monitors_installed'), 0);
  assert.deepEqual(await numbers(namespace), [0, 0, 0]);

  await createMonitorCrds(cluster.config);
  await untilNumbers(namespace, 1, 1, 0);
  assert.equal(await metric('bpf_webhook_monitors_installed'), 1);
  // A kind that is new may be told to be "(re)initializing" at first.
  const told = lines.filter((line) => line.includes('Prometheus Operator'));
  assert.equal(told.length, 2);
  assert.match(told[1]!, /^info: the Prometheus Operator is installed now /);
});

test('it begins again when the Prometheus Operator has gone and come back', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  const { metric, count } = replica(t);
  await createPod(namespace, 'web');
  await untilNumbers(namespace, 1, 1, 0);
  const path =
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/servicemonitors.monitoring.coreos.com';
  await api.call({ method: 'DELETE', path });
  await eventually(async () => assert.equal(await metric('bpf_webhook_monitors_installed'), 0));
  assert.deepEqual(await numbers(namespace), [1, 0, 0]);
  const failed = await count('failed');

  await createMonitorCrds(cluster.config);
  await untilNumbers(namespace, 1, 1, 0);
  assert.equal(await metric('bpf_webhook_monitors_installed'), 1);
  assert.equal(await count('failed'), failed);
});

test('each pod has a Service and a ServiceMonitor, which it owns', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  replica(t);
  const pod = await createPod(namespace, 'web', { 'metrics-port': '9400', 'scrape-interval': '1m' });
  await createPod(namespace, 'other');
  await untilNumbers(namespace, 2, 2, 0);

  const name = `bpf-sidecar-${pod.labels['bpf.sh/id']}`;
  for (const kind of ['Service', 'ServiceMonitor'] as const) {
    const { metadata } = (await kept(namespace, kind)).find((object) => object.metadata.name === name);
    assert.deepEqual(metadata.ownerReferences, [
      { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: pod.uid },
    ]);
    assert.deepEqual(
      metadata.managedFields.map(({ manager, operation }: Raw) => [manager, operation]),
      [['bpf-sidecar', 'Apply']],
    );
  }
  const [service, monitor] = await Promise.all(
    (['Service', 'ServiceMonitor'] as const).map(async (kind) =>
      (await kept(namespace, kind)).find((object) => object.metadata.name === name),
    ),
  );
  assert.deepEqual(service.spec.selector, {
    'bpf.sh/injected': 'true',
    'bpf.sh/id': pod.labels['bpf.sh/id'],
  });
  assert.equal(service.spec.ports[0].targetPort, 9400);
  assert.equal(monitor.spec.endpoints[0].interval, '1m');
  assert.equal(monitor.spec.endpoints[0].honorLabels, true);
});

test('a replica that starts later writes nothing', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  const first = replica(t);
  for (let index = 0; index < 10; index += 1) await createPod(namespace, `web-${index}`);
  await untilNumbers(namespace, 10, 10, 0);
  first.stop();
  const before = await versions(namespace);

  const second = replica(t);
  await eventually(async () => assert.ok((await second.count('unchanged')) >= 10));
  await eventually(async () => assert.equal(await second.metric('bpf_webhook_monitors_waiting'), 0));
  assert.equal(await second.count('written'), 0);
  assert.deepEqual(await versions(namespace), before);
});

test('two replicas make each object once', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  const replicas = [replica(t), replica(t)];
  await Promise.all(Array.from({ length: 40 }, (_, index) => createPod(namespace, `web-${index}`)));
  await untilNumbers(namespace, 40, 40, 0);
  const before = await versions(namespace);
  await eventually(async () => {
    for (const { metric } of replicas) assert.equal(await metric('bpf_webhook_monitors_waiting'), 0);
  });
  assert.deepEqual(await versions(namespace), before);
  const written = await Promise.all(replicas.map(({ count }) => count('written')));
  t.diagnostic(`the replicas have written ${written.join(' and ')} times`);
  for (const { count } of replicas) assert.equal(await count('failed'), 0);
});

test('an annotation that changes on a running pod changes its monitor, and nothing else', {
  skip,
}, async (t) => {
  const namespace = await cluster.createNamespace();
  const { count } = replica(t);
  await createPod(namespace, 'web');
  await untilNumbers(namespace, 1, 1, 0);
  const [service] = await kept(namespace, 'Service');
  const written = await count('written');

  await api.call({
    method: 'PATCH',
    path: `${podsOf(namespace)}/web`,
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations: { 'bpf.sh/scrape-interval': '2m' }, labels: { app: 'web' } } },
  });
  await eventually(async () => {
    const [monitor] = await kept(namespace, 'ServiceMonitor');
    assert.equal(monitor.spec.endpoints[0].interval, '2m');
  });
  assert.equal(await count('written'), written + 1);
  const [same] = await kept(namespace, 'Service');
  assert.equal(same.metadata.resourceVersion, service.metadata.resourceVersion);
});

test('what is no longer wanted goes: another scope, another kind, no pod', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  const perPod = replica(t);
  for (const name of ['a', 'b', 'c']) await createPod(namespace, name);
  await untilNumbers(namespace, 3, 3, 0);
  perPod.stop();

  const perNamespace = replica(t, { scope: 'namespace' });
  await untilNumbers(namespace, 1, 1, 0);
  const [service] = await kept(namespace, 'Service');
  assert.equal(service.metadata.name, 'bpf-sidecar-pods');
  assert.equal(service.metadata.ownerReferences, undefined);
  perNamespace.stop();

  replica(t, { scope: 'namespace', kind: 'PodMonitor' });
  await untilNumbers(namespace, 0, 0, 1);
  await deletePod(namespace, 'a');
  await deletePod(namespace, 'b');
  await createPod(namespace, 'd');
  await deletePod(namespace, 'c');
  assert.deepEqual(await numbers(namespace), [0, 0, 1]);
  await deletePod(namespace, 'd');
  await untilNumbers(namespace, 0, 0, 0);
});

test('a pod that has ended is not scraped any more', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  replica(t);
  await createPod(namespace, 'job');
  await untilNumbers(namespace, 1, 1, 0);
  await api.call({
    method: 'PATCH',
    path: `${podsOf(namespace)}/job/status`,
    contentType: 'application/merge-patch+json',
    body: { status: { phase: 'Succeeded' } },
  });
  await untilNumbers(namespace, 0, 0, 0);
});

test('a replica that does not hear of pods takes nothing away from those that do', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  let asked = 0;
  const deaf: Api = {
    open: (request) => (request.path === '/api/v1/pods' ? new Promise(() => {}) : api.open(request)),
    call: (request) => {
      if (request.path === podsOf(namespace)) asked += 1;
      return api.call(request);
    },
  };
  const behind = replica(t, {}, deaf);
  await eventually(async () => assert.equal(await behind.metric('bpf_webhook_monitors_installed'), 1));
  replica(t);
  await createPod(namespace, 'web');
  await untilNumbers(namespace, 1, 1, 0);
  const before = await versions(namespace);
  await eventually(() => assert.ok(asked >= 2));
  assert.equal(await behind.count('deleted'), 0);
  assert.deepEqual(await versions(namespace), before);
});

test('it needs no permission but those that the documentation names', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  const [, table = ''] = readFileSync(prometheusPage, 'utf8').split('| Resource | Verbs |');
  const rules = [...table.matchAll(/^\| `(\w+)` \| `([\w, ]+)` \|$/gm)].map(([, resource, verbs]) => ({
    apiGroups: [resource === 'pods' || resource === 'services' ? '' : 'monitoring.coreos.com'],
    resources: [resource!],
    verbs: verbs!.split(', '),
  }));
  assert.equal(rules.length, 4);
  const { lines, count } = replica(t, {}, createApi(await accountWith(namespace, rules)));
  await createPod(namespace, 'web');
  await untilNumbers(namespace, 1, 1, 0);
  await deletePod(namespace, 'web');
  await untilNumbers(namespace, 0, 0, 0);
  assert.equal(await count('failed'), 0);
  assert.deepEqual(lines, []);
});

/** The cluster as seen by a service account that has only these permissions. */
async function accountWith(namespace: string, rules: V1PolicyRule[]): Promise<KubeConfig> {
  const rbac = cluster.config.makeApiClient(RbacAuthorizationV1Api);
  await rbac.createClusterRole({ body: { metadata: { name: namespace }, rules } });
  cluster.defer(() => rbac.deleteClusterRole({ name: namespace }));
  await rbac.createClusterRoleBinding({
    body: {
      metadata: { name: namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: namespace },
      subjects: [{ kind: 'ServiceAccount', namespace, name: 'default' }],
    },
  });
  cluster.defer(() => rbac.deleteClusterRoleBinding({ name: namespace }));
  const { status } = await api.call<Raw>({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`,
    body: { spec: {} },
  });
  const config = new KubeConfig();
  config.loadFromClusterAndUser(cluster.config.getCurrentCluster()!, {
    name: 'default',
    token: status.token,
  });
  return config;
}

test('a Service of the same name that is not ours is left alone, and told', { skip }, async (t) => {
  const namespace = await cluster.createNamespace();
  const { spec } = await api.call<Raw>({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/services`,
    body: {
      metadata: { name: 'bpf-sidecar-pods' },
      spec: { selector: { app: 'mine' }, ports: [{ name: 'http', port: 80 }] },
    },
  });
  const { lines, count } = replica(t, { scope: 'namespace' });
  await createPod(namespace, 'web');
  await eventually(async () => assert.ok((await count('failed')) > 0));
  const now = await api.call<Raw>({ path: `/api/v1/namespaces/${namespace}/services/bpf-sidecar-pods` });
  assert.deepEqual(now.spec, spec);
  assert.match(
    lines.join('\n'),
    /warn: cannot keep what tells Prometheus of pods .*bpf-sidecar-pods.*conflict/,
  );
});
