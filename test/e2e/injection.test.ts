import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRandom } from '../../scripts/fuzz/random.ts';
import { containerName } from '../../sidecar/contract/pod.ts';
import { createAuthority } from '../../webhook/certificates/authority.ts';
import { createApi } from '../../webhook/kubernetes/client.ts';
import { createReport } from '../../webhook/kubernetes/events.ts';
import { watchNamespaces } from '../../webhook/kubernetes/namespaces.ts';
import { createMetrics } from '../../webhook/metrics.ts';
import { createMutate } from '../../webhook/reviews/mutate.ts';
import { createTemplateCheck } from '../../webhook/reviews/templates.ts';
import { type Answer, close, createServer, listen } from '../../webhook/server.ts';
import { testCluster } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { randomPod } from '../support/random-pod.ts';
import { askingPod, config, type Raw } from '../webhook/fixtures.ts';

const cluster = await testCluster();
const skipped = { skip: cluster.cannotCallUs };
const configurations = '/apis/admissionregistration.k8s.io/v1';

/** Of the namespaces of this test, with what should become of their pods. */
const kindLabel = 'bpf-sidecar-test';
type Kind = 'served' | 'refusing' | 'proxied' | 'old-after' | 'old-before';

const own = await cluster.createNamespace({ [kindLabel]: 'none' });
const log = () => {};
const metrics = createMetrics();
const api = createApi(cluster.config);
const namespaces = watchNamespaces(api, log);
cluster.defer(async () => namespaces.watched.stop());
await namespaces.watched.synced;
const admission = {
  config: { sidecar: config, invalidAnnotations: 'admit' as const },
  labelsOf: namespaces.labelsOf,
  metrics,
  log,
  report: createReport({ api, counter: metrics.events, log }),
};
const authority = await createAuthority();
const server = createServer({
  credentials: await authority.issue(['127.0.0.1']),
  answers: {
    '/mutate': createMutate(admission),
    '/refuse': createMutate({ ...admission, config: { ...admission.config, invalidAnnotations: 'refuse' } }),
    '/templates': createTemplateCheck(admission),
    '/proxy': putProxyFirst,
    '/old': forgetRestartPolicies,
  },
  metrics,
  log,
});
const address = await listen(server, 0, '127.0.0.1');
cluster.defer(() => close(server, 0));

/** Another injector that wants to be first, always. */
function putProxyFirst(body: Raw): ReturnType<Answer> {
  const { initContainers = [] } = body.request.object.spec;
  const proxy = { name: 'proxy', image: 'proxy:1', restartPolicy: 'Always' };
  const others = initContainers.filter(({ name }: Raw) => name !== 'proxy');
  return replaced(body, [proxy, ...others]);
}

/** A webhook whose client library is older than native sidecars. */
function forgetRestartPolicies(body: Raw): ReturnType<Answer> {
  const { initContainers = [] } = body.request.object.spec;
  return replaced(
    body,
    initContainers.map(({ restartPolicy: _, ...container }: Raw) => container),
  );
}

function replaced({ apiVersion, kind, request }: Raw, initContainers: object[]): ReturnType<Answer> {
  const patch =
    initContainers.length === 0 ? [] : [{ op: 'add', path: '/spec/initContainers', value: initContainers }];
  return {
    review: {
      apiVersion,
      kind,
      response: {
        uid: request.uid,
        allowed: true,
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      },
    },
  };
}

async function call(method: string, path: string, body?: object) {
  const answer = await cluster.call(method, path, body);
  assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer;
}

/** A configuration with one webhook; the API server calls configurations in the order of their names. */
async function register(
  type: 'mutating' | 'validating',
  order: string,
  path: string,
  kinds: readonly Kind[],
  rules: readonly object[] = [
    { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] },
  ],
): Promise<void> {
  const collection = `${configurations}/${type}webhookconfigurations`;
  const name = `${order}-${own}`;
  await call('POST', collection, {
    metadata: { name },
    webhooks: [
      {
        name: `${order}.bpf.sh`,
        clientConfig: {
          url: `${address}${path}`,
          caBundle: Buffer.from(authority.certificate).toString('base64'),
        },
        rules,
        namespaceSelector: { matchExpressions: [{ key: kindLabel, operator: 'In', values: kinds }] },
        admissionReviewVersions: ['v1'],
        sideEffects: 'NoneOnDryRun',
        failurePolicy: 'Fail',
        ...(type === 'mutating' && { reinvocationPolicy: 'IfNeeded' }),
      },
    ],
  });
  cluster.defer(() => cluster.call('DELETE', `${collection}/${name}`));
}

async function namespaceOf(kind: Kind, labels: Record<string, string> = {}): Promise<string> {
  const name = await cluster.createNamespace({ [kindLabel]: kind, ...labels });
  await eventually(() => assert.notEqual(namespaces.labelsOf(name), 'unknown'));
  return name;
}

function create(namespace: string, pod: Raw, query = ''): Promise<Raw> {
  return cluster.call('POST', `/api/v1/namespaces/${namespace}/pods${query}`, {
    ...pod,
    metadata: { ...pod.metadata, namespace },
  });
}

const initContainers = ({ spec }: Raw) => (spec.initContainers ?? []).map(({ name }: Raw) => name);
const warned = ({ warnings }: Raw) => warnings.map((text: string) => text.replace(/^299 - "|"$/g, ''));

if (!skipped.skip) {
  await register('mutating', 'm', '/mutate', ['served', 'proxied', 'old-after', 'old-before']);
  await register('mutating', 'refuse', '/refuse', ['refusing']);
  await register('mutating', 'proxy', '/proxy', ['proxied']);
  await register('mutating', 'a-old', '/old', ['old-before']);
  await register('mutating', 'z-old', '/old', ['old-after']);
  await register(
    'validating',
    'templates',
    '/templates',
    ['served', 'refusing'],
    [
      {
        apiGroups: ['apps'],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['deployments', 'statefulsets', 'daemonsets', 'replicasets'],
      },
      {
        apiGroups: ['batch'],
        apiVersions: ['v1'],
        operations: ['CREATE', 'UPDATE'],
        resources: ['jobs', 'cronjobs'],
      },
    ],
  );
  // The API server learns of them in its own time.
  const kinds = ['served', 'refusing', 'proxied', 'old-after', 'old-before'] as const;
  for (const kind of kinds) {
    const name = await namespaceOf(kind);
    await eventually(async () => {
      const { warnings, body } = await create(name, askingPod({ probes: 'x' }), '?dryRun=All');
      assert.ok(warnings.length > 0 || body.status === 'Failure');
      if (kind === 'proxied') assert.deepEqual(initContainers(body), ['proxy']);
    });
  }
}

test('whatever valid pod the API server takes, it takes with the sidecar', skipped, async () => {
  const namespace = await namespaceOf('served');
  for (let seed = 1; seed <= 200; seed++) {
    const pod = randomPod(createRandom(seed));
    const plain = await create(own, pod, '?dryRun=All');
    assert.equal(plain.status, 201, `seed ${seed} is no valid pod: ${plain.body.message}`);
    const { status, body } = await create(namespace, pod, '?dryRun=All');
    assert.equal(status, 201, `seed ${seed}: ${body.message}`);
    assert.deepEqual(initContainers(body), [containerName, ...initContainers(plain.body)], `seed ${seed}`);
    assert.equal(body.status.qosClass, plain.body.status.qosClass.replace('BestEffort', 'Burstable'));
  }
});

test('a namespace that enforces Pod Security gets its pods, without the sidecar', skipped, async () => {
  const enforce = { 'pod-security.kubernetes.io/enforce': 'baseline' };
  const namespace = await namespaceOf('served', enforce);
  const { status, body, ...rest } = await create(namespace, askingPod());
  assert.equal(status, 201);
  assert.deepEqual(initContainers(body), []);
  assert.match(
    warned(rest).join(),
    /^bpf-sidecar not injected \(pod-security\): the namespace's label pod-security\.kubernetes\.io\/enforce=baseline refuses/,
  );

  const { body: injected } = await create(await namespaceOf('served'), askingPod(), '?dryRun=All');
  const pod = { ...askingPod(), metadata: { ...injected.metadata, name: 'by-hand', uid: undefined } };
  const refused = await create(namespace, { ...pod, spec: injected.spec });
  assert.equal(refused.status, 403, 'the API server would indeed have refused it');
  assert.match(refused.body.message, /violates PodSecurity "baseline:latest"/);
});

test('a namespace that only warns gets its pods with the sidecar, and both warnings', skipped, async () => {
  const namespace = await namespaceOf('served', { 'pod-security.kubernetes.io/warn': 'baseline' });
  const { body, ...rest } = await create(namespace, askingPod());
  assert.deepEqual(initContainers(body), [containerName]);
  const [ours, theirs] = warned(rest);
  assert.match(ours, /^bpf-sidecar: by the namespace's label pod-security\.kubernetes\.io\/warn=baseline/);
  assert.match(theirs, /^would violate PodSecurity/);
});

test('a mistake is an Event on the owner, and none of a dry run', skipped, async () => {
  const namespace = await namespaceOf('served');
  const pod = (name: string) => {
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid: `uid-${name}`, controller: true };
    const asking = askingPod({ probes: 'netwrok' });
    return { ...asking, metadata: { ...asking.metadata, name, ownerReferences: [owner] } };
  };
  assert.equal((await create(namespace, pod('tried'), '?dryRun=All')).status, 201);
  assert.equal((await create(namespace, pod('web'))).status, 201);
  const events = await eventually(async () => {
    const { body } = await call('GET', `/api/v1/namespaces/${namespace}/events`);
    assert.ok(body.items.length > 0);
    return body.items;
  });
  assert.equal(events.length, 1);
  const [{ involvedObject, type, reason, message, count }] = events;
  assert.deepEqual(involvedObject, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    namespace,
    name: 'web',
    uid: 'uid-web',
  });
  assert.deepEqual([type, reason, count], ['Warning', 'SidecarNotInjected', 1]);
  assert.match(message, /^invalid-annotation: annotation bpf\.sh\/probes="netwrok": unknown probe/);
});

test('two injectors that both want to be first come to an end', skipped, async () => {
  const { status, body } = await create(await namespaceOf('proxied'), askingPod());
  assert.equal(status, 201);
  assert.deepEqual(initContainers(body), ['proxy', containerName]);
});

for (const kind of ['old-after', 'old-before'] as const) {
  test(`a pod whose sidecar loses its restartPolicy to a webhook starts (${kind})`, skipped, async () => {
    const { status, body, ...rest } = await create(await namespaceOf(kind), askingPod());
    assert.equal(status, 201);
    assert.deepEqual(initContainers(body), []);
    assert.ok(!body.spec.volumes.some(({ name }: Raw) => name.startsWith('bpf-sidecar-')));
    assert.equal(body.metadata.labels?.['bpf.sh/injected'], undefined);
    assert.match(warned(rest).join(), /^bpf-sidecar not injected \(restart-policy-removed\): /);
  });
}

test('a quota on CPU limits takes the pod with the sidecar', skipped, async () => {
  const namespace = await namespaceOf('served');
  const hard = { 'limits.cpu': '2', 'limits.memory': '2Gi', 'requests.cpu': '1', 'requests.memory': '1Gi' };
  const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`;
  const { body: quota } = await call('POST', quotas, { metadata: { name: 'q' }, spec: { hard } });
  // What a controller would do.
  const used = Object.fromEntries(Object.keys(hard).map((name) => [name, '0']));
  await call('PUT', `${quotas}/q/status`, { ...quota, status: { hard, used } });
  const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '500m', memory: '128Mi' } };
  const limited = askingPod({}, { containers: [{ name: 'web', image: 'nginx:1.27', resources }] });
  await eventually(async () => {
    const { status, body } = await create(namespace, limited);
    assert.equal(status, 201, body.message);
    assert.deepEqual(body.spec.initContainers[0].resources, {
      requests: { cpu: '20m', memory: '64Mi' },
      limits: { cpu: '200m', memory: '128Mi' },
    });
  });
});

test('a LimitRange fills in what the sidecar does not have', skipped, async () => {
  const namespace = await namespaceOf('served');
  await call('POST', `/api/v1/namespaces/${namespace}/limitranges`, {
    metadata: { name: 'defaults' },
    spec: { limits: [{ type: 'Container', default: { cpu: '300m', 'ephemeral-storage': '1Gi' } }] },
  });
  await eventually(async () => {
    const { status, body } = await create(namespace, askingPod());
    assert.equal(status, 201, body.message);
    const [{ resources }] = body.spec.initContainers;
    assert.equal(resources.limits['ephemeral-storage'], '1Gi');
    assert.equal(resources.limits.memory, '128Mi');
  });
});

const workloads: [group: string, resource: string, kind: string, spec: (template: Raw) => object][] = [
  ['apps', 'deployments', 'Deployment', selected],
  ['apps', 'statefulsets', 'StatefulSet', (template) => ({ ...selected(template), serviceName: 'web' })],
  ['apps', 'daemonsets', 'DaemonSet', selected],
  ['apps', 'replicasets', 'ReplicaSet', selected],
  ['batch', 'jobs', 'Job', (template) => ({ template: once(template) })],
  [
    'batch',
    'cronjobs',
    'CronJob',
    (template) => ({ schedule: '0 0 * * *', jobTemplate: { spec: { template: once(template) } } }),
  ],
];

function selected({ metadata: { annotations }, spec }: Raw) {
  const labels = { app: 'web' };
  return { selector: { matchLabels: labels }, template: { metadata: { annotations, labels }, spec } };
}

function once({ metadata: { annotations }, spec }: Raw) {
  return { metadata: { annotations }, spec: { ...spec, restartPolicy: 'Never' } };
}

for (const [group, resource, kind, spec] of workloads) {
  test(`who applies a ${kind} with a mistake is told, and gets it`, skipped, async () => {
    const namespace = await namespaceOf('served');
    const apply = (annotations: object) =>
      call('POST', `/apis/${group}/v1/namespaces/${namespace}/${resource}?dryRun=All`, {
        apiVersion: `${group}/v1`,
        kind,
        metadata: { name: 'web' },
        spec: spec(askingPod({ ...annotations })),
      });
    const [warning, ...more] = warned(await apply({ probes: 'netwrok' }));
    assert.match(warning, /^pods will get no bpf-sidecar \(invalid-annotation\): annotation bpf\.sh\/probes/);
    assert.deepEqual([more, warned(await apply({}))], [[], []]);
  });
}

test('where invalid annotations are refused, who creates the pod is told why', skipped, async () => {
  const namespace = await namespaceOf('refusing');
  const { status, body } = await create(namespace, askingPod({ probes: 'netwrok' }));
  assert.equal(status, 400);
  assert.match(
    body.message,
    /^admission webhook "refuse\.bpf\.sh" denied the request: bpf-sidecar \(invalid-annotation\): annotation bpf\.sh\/probes="netwrok": unknown probe/,
  );
  assert.equal((await create(namespace, askingPod())).status, 201);
});
