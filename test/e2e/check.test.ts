import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { temporaryDirectory } from '../../scripts/cluster/directory.ts';
import { kubernetesTool, noTools } from '../../scripts/cluster/tools.ts';
import { chart } from '../charts/chart.ts';
import { testCluster } from '../support/cluster.ts';
import { startReplica } from '../support/replica.ts';
import { run } from '../webhook/cli/executable.ts';
import type { Raw } from '../webhook/fixtures.ts';

const cluster = await testCluster();
const { kubeconfig } = cluster;
const asks = { 'bpf.sh/inject': 'true' };
const newImage = 'bpf-sidecar:new';

async function check(...argv: string[]) {
  const { code, stdout, stderr } = await run(['check', '--kubeconfig', kubeconfig, ...argv]);
  return { code, stderr, lines: stdout.trimEnd().split('\n') };
}

async function post(path: string, object: object): Promise<Raw> {
  const { status, body } = await cluster.call('POST', path, object);
  assert.equal(status, 201, body.message);
  return body;
}

const pod = (name: string, annotations: object, spec?: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, annotations },
  spec: { containers: [{ name: 'web', image: 'nginx' }], ...spec },
});

async function createPod(namespace: string, object: object): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const { metadata } = await post(path, object);
  // No node is there that would end it, were it not for the grace of none.
  cluster.defer(() => cluster.call('DELETE', `${path}/${metadata.name}?gracePeriodSeconds=0`));
}

/** As a manifest that the CLI injected. */
async function injected(name: string, image: string): Promise<Raw> {
  const { stdout } = await run(['inject', '--image', image, '-f', '-'], JSON.stringify(pod(name, asks)));
  return JSON.parse(stdout);
}

function tool(name: 'helm' | 'kubectl', args: readonly string[], input = ''): string {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const { status, stdout, stderr } = spawnSync(kubernetesTool(name), args, { input, encoding: 'utf8', env });
  assert.equal(status, 0, stderr);
  return stdout;
}

const helm = (...args: string[]) => tool('helm', args);

test('check tells what is wrong with an installation, and which pods lack their sidecar and why', {
  skip: noTools ?? cluster.cannotCallUs,
}, async () => {
  const place = await cluster.createNamespace();
  const shop = await cluster.createNamespace();
  const declined = await cluster.createNamespace({ 'bpf.sh/injection': 'disabled' });

  const before = await check('--release', 'checked');
  assert.equal(before.code, 1);
  assert.match(
    before.lines[0]!,
    /^FAILED there is no MutatingWebhookConfiguration of release checked with the webhook pods\.bpf\.sh/,
  );
  assert.match(before.lines.at(-1)!, /^bpf-sidecar: FAILED \(0 ok, 0 warn, 1 FAILED\)$/);

  await createPod(shop, pod('early', asks));
  await createPod(shop, await injected('old', 'bpf-sidecar:old'));
  await createPod(shop, await injected('new', newImage));
  await createPod(shop, pod('silent', {}));
  // So that these are older than the release: the API server tells times in whole seconds.
  await delay(1000 - (Date.now() % 1000));

  helm(
    'install',
    'checked',
    chart,
    '--namespace',
    place,
    '--set',
    'sidecar.image.tag=new',
    '--set',
    'admission.timeoutSeconds=1',
  );
  cluster.defer(async () => helm('uninstall', 'checked', '--namespace', place));
  const name = 'checked-bpf-sidecar';

  const silent = await check('--release', 'checked');
  assert.equal(silent.code, 1);
  const failures = silent.lines.filter((line) => line.startsWith('FAILED'));
  assert.deepEqual(failures, [
    'FAILED caBundle of pods.bpf.sh, templates.bpf.sh, cronjobs.bpf.sh, programs.bpf.sh: is empty, so that the API server trusts no webhook; see whether its replicas run',
    `FAILED Service ${place}/${name}: 0 of 0 endpoints are ready; no pod gets a sidecar while no replica answers`,
  ]);

  await startReplicaOf(place, name);
  await post(`/apis/discovery.k8s.io/v1/namespaces/${place}/endpointslices`, {
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [
      { addresses: ['10.0.0.1'], conditions: { ready: true } },
      { addresses: ['10.0.0.2'], conditions: { ready: false } },
    ],
    ports: [{ name: 'https', port: 8443 }],
  });

  // The API server finds nobody behind the Service, and does without.
  await createPod(shop, pod('late', asks));
  await createPod(shop, pod('slip', { ...asks, 'bpf.sh/probes': 'netwrok' }));
  await createPod(shop, pod('windows', asks, { os: { name: 'windows' } }));
  await createPod(shop, pod('programs', { ...asks, 'bpf.sh/programs': 'packets' }));
  await createPod(declined, pod('web', asks));
  await createPod(place, pod('web', asks));
  const finished = pod('finished', asks);
  await createPod(shop, finished);
  await cluster.call('PUT', `/api/v1/namespaces/${shop}/pods/finished/status`, {
    ...finished,
    status: { phase: 'Succeeded' },
  });

  const { code, lines, stderr } = await check('--release', 'checked', '--namespace', place);
  assert.equal(stderr, '');
  assert.equal(code, 0, lines.join('\n'));
  const about = (words: string) =>
    lines.filter((line) => line.includes(words)).map((line) => line.slice(0, 300));
  const only = (words: string) => {
    const found = about(words);
    assert.equal(found.length, 1, `${words} in\n${lines.join('\n')}`);
    return found[0]!;
  };
  assert.equal(
    only('MutatingWebhookConfiguration'),
    `ok     MutatingWebhookConfiguration ${name}: the API server calls Service ${place}/${name} for pods (failurePolicy Ignore)`,
  );
  assert.match(
    only('caBundle of'),
    /^ok {5}caBundle of pods.*: its CA is valid until 20\d\d-\d\d-\d\d \d\d:\d\d UTC \(364 days\)$/,
  );
  assert.equal(only('endpoints'), `warn   Service ${place}/${name}: 1 of 2 endpoints are ready`);
  assert.match(only('certificate of'), /^skip {3}certificate of /);
  assert.match(only('ConfigMap'), /^ok .* valid, with sidecars of bpf-sidecar:new$/);
  const crd = 'servicemonitors.monitoring.coreos.com';
  const { status } = await cluster.call(
    'GET',
    `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd}`,
  );
  assert.match(
    only(crd),
    status === 404 ? /^warn .* is missing: Prometheus is told of no sidecar/ : /^ok .* serves v1$/,
  );
  assert.equal(only('pods with a sidecar'), 'ok     pods with a sidecar of bpf-sidecar:new: 1');
  assert.equal(
    only('another sidecar than'),
    'warn   pods with another sidecar than configured: 1; restart their workloads',
  );
  assert.equal(only(`${shop}/old`), `warn   pod ${shop}/old has a sidecar of bpf-sidecar:old`);
  const why = (id: string) =>
    /^warn {3}pod \S+ has no sidecar \(([-a-z]+)\): (.*)$/.exec(only(`pod ${id} `))?.slice(1);
  assert.equal(why(`${shop}/early`)?.[0], 'not-recreated');
  assert.equal(why(`${shop}/late`)?.[0], 'not-asked');
  assert.deepEqual(why(`${shop}/windows`), ['windows', 'spec.os.name is windows; eBPF needs Linux']);
  assert.match(
    why(`${shop}/slip`)!.join(),
    /^invalid-annotation,annotation bpf\.sh\/probes="netwrok": unknown probe/,
  );
  assert.match(why(`${shop}/programs`)!.join(), /^programs-not-allowed,.*value programs\.allowedNamespaces/);
  assert.equal(why(`${declined}/web`)?.[0], 'namespace-disabled');
  assert.equal(why(`${place}/web`)?.[0], 'namespace-not-served');
  for (const name of ['silent', 'new', 'finished']) assert.deepEqual(about(`${shop}/${name}`), []);

  assert.deepEqual(await checkAsHelmTest(place), { code: 0, lines });

  const other = await check('--release', 'another');
  assert.match(other.lines[0]!, /^FAILED there is no MutatingWebhookConfiguration of release another/);
});

/** With the rights of the pod of "helm test". */
async function checkAsHelmTest(place: string): Promise<{ code: number; lines: string[] }> {
  const hooks = helm(
    'template',
    'checked',
    chart,
    '--namespace',
    place,
    '--show-only',
    'templates/tests/check.yaml',
  );
  const objects = parseAllDocuments(hooks).map((document) => document.toJS());
  const { args } = objects.find(({ kind }) => kind === 'Pod').spec.containers[0];
  const list = { apiVersion: 'v1', kind: 'List', items: objects.filter(({ kind }) => kind !== 'Pod') };
  tool('kubectl', ['create', '-f', '-'], JSON.stringify(list));
  cluster.defer(async () => tool('kubectl', ['delete', '-f', '-'], JSON.stringify(list)));
  const file = await kubeconfigOf(place, 'checked-bpf-sidecar-test');
  const { code, stdout } = await run([...args, '--kubeconfig', file]);
  return { code, lines: stdout.trimEnd().split('\n') };
}

test('whoever may not look is told what the API server refuses', { skip: noTools }, async () => {
  const namespace = await cluster.createNamespace();
  const file = await kubeconfigOf(namespace, 'default');
  const { code, stdout } = await run(['check', '--kubeconfig', file]);
  assert.equal(code, 1);
  assert.match(stdout, /^FAILED the webhook configurations cannot be read: .* is forbidden: /);
});

/** A kubeconfig of the tests' cluster for a service account. */
async function kubeconfigOf(namespace: string, account: string): Promise<string> {
  const directory = temporaryDirectory('bpf-sidecar-check-');
  cluster.defer(directory.remove);
  const { status } = await post(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
    spec: {},
  });
  const config = JSON.parse(cluster.config.exportConfig());
  const users = [{ name: config.contexts[0].context.user, user: { token: status.token } }];
  const file = join(directory.path, 'kubeconfig');
  writeFileSync(file, JSON.stringify({ ...config, users }), { mode: 0o600 });
  return file;
}

/** A replica of the webhook on this machine, which keeps the caBundle of the release. */
async function startReplicaOf(namespace: string, name: string): Promise<void> {
  const directory = temporaryDirectory('bpf-sidecar-check-');
  cluster.defer(directory.remove);
  const { body } = await cluster.call('GET', `/api/v1/namespaces/${namespace}/configmaps/${name}`);
  const file = join(directory.path, 'config.yaml');
  writeFileSync(file, body.data['config.yaml']);
  await startReplica(cluster, { config: file, kubeconfig });
}
