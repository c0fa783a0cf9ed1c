import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdmissionregistrationV1Api, CoreV1Api } from '@kubernetes/client-node';
import jsonPatch from 'fast-json-patch';
import { Counter } from 'prom-client';
import { parse, parseAllDocuments } from 'yaml';
import { reviewOf } from '../../scripts/node/review.ts';
import { readObject } from '../../sidecar/objects.ts';
import { type Admission, admit } from '../../webhook/admission/admit.ts';
import { createAuthority } from '../../webhook/certificates/authority.ts';
import { injectionConfig } from '../../webhook/config.ts';
import { type Api, createApi } from '../../webhook/kubernetes/client.ts';
import { createReport } from '../../webhook/kubernetes/events.ts';
import { createMetrics } from '../../webhook/metrics.ts';
import { shareInjectedPods } from '../../webhook/pods/injected-pods.ts';
import { type Programs, watchPrograms } from '../../webhook/programs/programs.ts';
import { createProgramCheck } from '../../webhook/reviews/programs.ts';
import { createServer, listen } from '../../webhook/server.ts';
import { testCluster } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { askingPod, type Raw } from '../webhook/fixtures.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const cluster = await testCluster();
const core = cluster.config.makeApiClient(CoreV1Api);
const namespace = await cluster.createNamespace();
const bpfs = `/apis/bpf.sh/v1alpha1/namespaces/${namespace}/bpfs`;
const hadCrd = (await cluster.call('GET', `${crds}/bpfs.bpf.sh`)).status === 200;

/** Lines that the replicas have logged. */
const logged: string[] = [];
/** Statuses that were written, by the name of the resource. */
const written: Record<string, number> = {};

/** As each of two replicas does it. */
function startReplica(): Programs {
  const real = createApi(cluster.config);
  const api: Api = {
    ...real,
    async call(request) {
      const answer = await real.call(request);
      const [, name] = /\/bpfs\/([^/]+)\/status$/.exec(request.path) ?? [];
      if (name !== undefined) written[name] = (written[name] ?? 0) + 1;
      return answer as never;
    },
  };
  const log = (_: string, message: string, fields = {}) =>
    void logged.push(`${message} ${JSON.stringify(fields)}`);
  const counter = new Counter({ name: 'events', help: 'x', labelNames: ['result'], registers: [] });
  const report = createReport({ api, counter, log });
  const ending = new AbortController();
  cluster.defer(async () => ending.abort());
  const { signal } = ending;
  const injectedPods = shareInjectedPods(api, log, signal);
  return watchPrograms({ api, log, allowed: [namespace], injectedPods, signal, report });
}

const [{ programsOf, isPending }] = [startReplica(), startReplica()] as const;

test('without the CustomResourceDefinition a pod that asks is told so, and the log says it once a replica', {
  skip: hadCrd && 'the cluster has it',
}, async () => {
  await eventually(() => {
    const programs = programsOf(namespace);
    assert.ok('unknown' in programs);
    assert.match(programs.unknown, /the CustomResourceDefinition bpfs\.bpf\.sh is not installed$/);
  });
  assert.equal(isPending(), false);
  await eventually(() => assert.equal(logged.length, 2, logged.join('\n')));
  assert.match(logged[0]!, /^no program of a user can run .*bpfs\.bpf\.sh is not installed/);
});

test('it is taken by the API server, and resources are known from then on', async () => {
  if (!hadCrd) {
    const body = parse(read('charts/bpf-sidecar/crds/bpf.yaml'), { merge: true });
    assert.equal((await cluster.call('POST', crds, body)).status, 201);
    cluster.defer(() => cluster.call('DELETE', `${crds}/bpfs.bpf.sh`));
  }
  await eventually(() => assert.ok('resources' in programsOf(namespace)));
  assert.ok('off' in programsOf('default'));
});

async function create(path: string, body: object): Promise<Raw> {
  const answer = await cluster.call('POST', `${path}?fieldValidation=Strict`, body);
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body;
}

const createConfigMap = (
  name: string,
  data: Record<string, string>,
  binaryData: Record<string, Buffer> = {},
) =>
  core.createNamespacedConfigMap({
    namespace,
    body: {
      metadata: { name },
      data,
      binaryData: Object.fromEntries(
        Object.entries(binaryData).map(([key, bytes]) => [key, bytes.toString('base64')]),
      ),
    },
  });

function bpf(name: string, program: object, metrics?: object) {
  return {
    apiVersion: 'bpf.sh/v1alpha1',
    kind: 'BPF',
    metadata: { name },
    spec: { program: { valueFrom: program }, ...(metrics && { metrics }) },
  };
}

const counter = (name: string) => ({
  metrics: { counters: [{ name, help: 'x', map: 'calls', labels: [] }] },
});

/** The conditions of a resource, as `type status reason: message`. */
async function statusOf(name: string): Promise<{ pods?: number; conditions: string[] }> {
  const { body } = await cluster.call('GET', `${bpfs}/${name}`);
  const { pods, conditions = [] } = body.status ?? {};
  return {
    pods,
    conditions: conditions.map((one: Raw) => `${one.type} ${one.status} ${one.reason}: ${one.message}`),
  };
}

function injected(pod: Raw): Admission {
  const admission = admit(
    reviewOf(pod, 'u1', namespace),
    { sidecar: injectionConfig('example.com/bpf-sidecar:test'), invalidAnnotations: 'admit' },
    undefined,
    programsOf,
  );
  assert.ok(!('problem' in admission));
  return admission;
}

test("the resources of kube-bpf become the pod's volumes, which the API server takes as they are", async () => {
  await createConfigMap('packets', {}, { 'packets.bpf.o': readObject('tcp') });
  await createConfigMap(
    'writes',
    { 'writes.metrics.yaml': read('examples/kube-bpf/writes.metrics.yaml') },
    { 'writes.bpf.o': readObject('tcp') },
  );
  for (const file of ['packets.yaml', 'writes.yaml'])
    for (const document of parseAllDocuments(read(`examples/kube-bpf/${file}`)))
      await create(bpfs, document.toJS());

  const pod = askingPod({ programs: 'test,writes' });
  const patch = await eventually(() => {
    const { reason, messages, review } = injected(pod);
    assert.equal(reason, '', messages.join());
    return JSON.parse(Buffer.from(review.response.patch!, 'base64').toString());
  });
  const stored = await create(
    `/api/v1/namespaces/${namespace}/pods`,
    jsonPatch.applyPatch(pod, patch).newDocument,
  );
  assert.deepEqual(
    stored.spec.volumes.filter(({ projected }: Raw) => projected?.sources[0].configMap).at(-1).projected
      .sources,
    [
      {
        configMap: {
          name: 'writes',
          items: [{ key: 'writes.bpf.o', path: 'program.bpf.o' }],
          optional: true,
        },
      },
      {
        configMap: {
          name: 'writes',
          items: [{ key: 'writes.metrics.yaml', path: 'metrics.yaml' }],
          optional: true,
        },
      },
    ],
  );
  // With what the API server fills in, it is still what would be injected.
  assert.equal(injected(stored).reason, 'already-injected');

  await eventually(async () =>
    assert.deepEqual(await statusOf('writes'), {
      pods: 1,
      conditions: [
        'Accepted True Valid: pods of the namespace can have it',
        'Available True Available: all that it names is there',
        'Loaded Unknown NoAnswer: pod web: it has no address yet',
      ],
    }),
  );
});

test('what a resource names and is not there is told in its status, once by two replicas, and in an Event', async () => {
  await create(bpfs, bpf('missing', { configMapKeyRef: { name: 'nowhere', key: 'x.o' } }));
  const told = 'ConfigMapMissing: there is no ConfigMap "nowhere" in the namespace';
  const conditions = [
    'Accepted True Valid: pods of the namespace can have it',
    `Available False ${told}`,
    'Loaded Unknown NoPods: no pod runs it',
  ];
  await eventually(async () => assert.deepEqual(await statusOf('missing'), { pods: 0, conditions }));
  assert.equal(written.missing, 1);
  await eventually(async () => {
    const { items } = await core.listNamespacedEvent({ namespace });
    const events = items.filter(({ involvedObject }) => involvedObject.name === 'missing');
    assert.deepEqual(
      events.map(({ type, reason, message, count }) => ({ type, reason, message, count })),
      [{ type: 'Warning', reason: 'NotAvailable', message: told, count: 1 }],
    );
  });
});

for (const [what, key, conditions] of [
  [
    'another key',
    'y.o',
    /^Available False KeyMissing: key y\.o of ConfigMap objects is not there; the ConfigMap has x\.c$/,
  ],
  [
    'no object',
    'x.c',
    /^Available False NotAnObject: key x\.c of ConfigMap objects is no ELF object; it must be what/,
  ],
] as const)
  test(`a ConfigMap with ${what} is told in the status`, async () => {
    if (key === 'y.o') await createConfigMap('objects', { 'x.c': 'int x;' });
    const name = `objects-${key}`;
    await create(bpfs, bpf(name, { configMapKeyRef: { name: 'objects', key } }));
    await eventually(async () => assert.match((await statusOf(name)).conditions[1] ?? '', conditions));
  });

test('a metric spec in a resource is kept in a ConfigMap that belongs to it, and follows it', async () => {
  const program = { configMapKeyRef: { name: 'packets', key: 'packets.bpf.o' } };
  const { metadata } = await create(bpfs, bpf('inline', program, { value: counter('calls_total') }));
  const kept = () => core.readNamespacedConfigMap({ namespace, name: 'inline.bpf.sh' });
  const holds = (spec: object) =>
    eventually(async () => assert.deepEqual(JSON.parse((await kept()).data!['metrics.yaml']!), spec));
  await holds(counter('calls_total'));
  assert.equal((await kept()).metadata!.ownerReferences![0]!.uid, metadata.uid);

  const { body } = await cluster.call('GET', `${bpfs}/inline`);
  body.spec.metrics.value = counter('writes_total');
  assert.equal((await cluster.call('PUT', `${bpfs}/inline`, body)).status, 200);
  await holds(counter('writes_total'));
});

test("a ConfigMap of somebody else's is left alone", async () => {
  await createConfigMap('mine.bpf.sh', { 'metrics.yaml': 'mine' });
  const program = { configMapKeyRef: { name: 'packets', key: 'packets.bpf.o' } };
  await create(bpfs, bpf('mine', program, { value: counter('calls_total') }));
  await eventually(async () =>
    assert.match(
      (await statusOf('mine')).conditions[1] ?? '',
      /^Available False NameTaken: the ConfigMap "mine\.bpf\.sh", .* is not the webhook's; remove it$/,
    ),
  );
  const { data } = await core.readNamespacedConfigMap({ namespace, name: 'mine.bpf.sh' });
  assert.deepEqual(data, { 'metrics.yaml': 'mine' });
});

test('a resource where programs are not allowed is told so', async () => {
  const other = await cluster.createNamespace();
  const path = bpfs.replace(namespace, other);
  await create(path, bpf('test', { configMapKeyRef: { name: 'packets', key: 'packets.bpf.o' } }));
  await eventually(async () => {
    const { body } = await cluster.call('GET', `${path}/test`);
    assert.deepEqual(
      body.status?.conditions.map(({ type, status, reason }: Raw) => [type, status, reason]),
      [['Accepted', 'False', 'NotAllowed']],
    );
  });
});

test('a mistake is refused when the resource is applied, with the field', {
  skip: cluster.cannotCallUs,
}, async () => {
  const authority = await createAuthority();
  const check = createProgramCheck([namespace], () => {});
  const server = createServer({
    credentials: await authority.issue(['127.0.0.1']),
    answers: { '/programs': check },
    metrics: createMetrics(),
    log: () => {},
  });
  const url = await listen(server, 0, '127.0.0.1');
  cluster.defer(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  const api = cluster.config.makeApiClient(AdmissionregistrationV1Api);
  const name = `bpf-sidecar-${namespace}`;
  await api.createValidatingWebhookConfiguration({
    body: {
      metadata: { name },
      webhooks: [
        {
          name: 'programs.bpf.sh',
          clientConfig: {
            url: `${url}/programs`,
            caBundle: Buffer.from(authority.certificate).toString('base64'),
          },
          rules: [
            {
              apiGroups: ['bpf.sh'],
              apiVersions: ['v1alpha1'],
              operations: ['CREATE', 'UPDATE'],
              resources: ['bpfs'],
            },
          ],
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          failurePolicy: 'Fail',
        },
      ],
    },
  });
  cluster.defer(() => api.deleteValidatingWebhookConfiguration({ name }));

  const program = { configMapKeyRef: { name: 'packets', key: 'packets.bpf.o' } };
  const wrong = bpf('wrong', program, {
    value: { metrics: { counters: [{ name: 'x', help: 'x', mapp: 'x' }] } },
  });
  await eventually(async () => {
    const { status, body } = await cluster.call('POST', `${bpfs}?dryRun=All`, wrong);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(
      body.message,
      /^admission webhook "programs\.bpf\.sh" denied the request: spec\.metrics\.value: metrics\.counters\[0\]: unknown field "mapp"; allowed are name/,
    );
  });
  await create(bpfs, bpf('right', program, { value: counter('calls_total') }));
});
