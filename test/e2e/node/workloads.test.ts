import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { appImage, firstCalls } from '../../support/app.ts';
import {
  apply,
  createNamespace,
  get,
  install,
  inTime,
  kubectl,
  metrics,
  pods,
  sample,
  skipped,
  timesOf,
  tool,
} from '../../support/node.ts';
import type { Raw } from '../../webhook/fixtures.ts';

const asks = { 'bpf.sh/inject': 'true', 'bpf.sh/probes': 'syscalls' };

const container = (mode: string, name = 'app') => ({ name, image: appImage, args: [mode] });

/** The template of a workload's pods. */
const template = (name: string, mode: string, spec: object = {}) => ({
  metadata: { labels: { app: name }, annotations: asks },
  spec: { containers: [container(mode)], terminationGracePeriodSeconds: 5, ...spec },
});

/** Resolves to the pods of a workload when so many are Ready. */
const untilReady = (namespace: string, app: string, count = 1): Promise<Raw[]> =>
  inTime(async () => {
    const found = await pods(namespace, `app=${app}`);
    const ready = found.filter(({ status }) =>
      (status.conditions ?? []).some(({ type, status }: Raw) => type === 'Ready' && status === 'True'),
    );
    assert.equal(ready.length, count, JSON.stringify(found.map(({ status }) => status)));
    return ready;
  });

const initContainers = (pod: Raw) => (pod.spec.initContainers ?? []).map(({ name }: Raw) => name);

describe('on a node', skipped, () => {
  let namespace: string;
  before(async () => {
    await install();
    namespace = await createNamespace();
  });

  for (const kind of ['Deployment', 'StatefulSet'] as const)
    test(`of the pods of a ${kind} the first system calls are counted`, async () => {
      const name = kind.toLowerCase();
      await apply({
        apiVersion: 'apps/v1',
        kind,
        metadata: { name, namespace },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: name } },
          template: template(name, 'wait'),
          ...(kind === 'StatefulSet' && { serviceName: name }),
        },
      });
      for (const { metadata } of await untilReady(namespace, name, 2))
        assert.equal(await timesOf(namespace, metadata.name), firstCalls);
    });

  test('init containers are observed too, from the first on', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'init', namespace, labels: { app: 'init' }, annotations: asks },
      spec: template('init', 'wait', { initContainers: [container('done', 'one'), container('done', 'two')] })
        .spec,
    });
    const [pod] = await untilReady(namespace, 'init');
    assert.deepEqual(initContainers(pod), ['bpf-sidecar', 'one', 'two']);
    for (const name of ['one', 'two', 'app'])
      assert.equal(await timesOf(namespace, 'init', name), firstCalls, name);
  });

  test('a Job completes', async () => {
    const spec = { backoffLimit: 0, template: template('job', 'done', { restartPolicy: 'Never' }) };
    await apply({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'job', namespace }, spec });
    const job = await inTime(async () => {
      const { status } = await get(`/apis/batch/v1/namespaces/${namespace}/jobs/job`);
      assert.ok(status.completionTime, JSON.stringify(status));
      return status;
    });
    assert.equal(job.succeeded, 1);
    const [pod] = await pods(namespace, 'app=job');
    assert.equal(pod.status.phase, 'Succeeded');
    const [sidecar] = pod.status.initContainerStatuses;
    assert.equal(sidecar.name, 'bpf-sidecar');
    assert.deepEqual([sidecar.state.terminated.exitCode, sidecar.restartCount], [0, 0]);
  });

  test('a CronJob makes Jobs that complete', async () => {
    await apply({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'cron', namespace },
      spec: {
        schedule: '0 0 1 1 *',
        jobTemplate: { spec: { template: template('cron', 'done', { restartPolicy: 'Never' }) } },
      },
    });
    await kubectl('create', 'job', '--namespace', namespace, 'cron-now', '--from=cronjob/cron');
    await kubectl(
      'wait',
      '--namespace',
      namespace,
      '--for=condition=Complete',
      '--timeout=120s',
      'job/cron-now',
    );
    const [pod] = await pods(namespace, 'app=cron');
    assert.deepEqual(initContainers(pod), ['bpf-sidecar']);
  });

  test('a container that is restarted continues its counters', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'again', namespace, labels: { app: 'again' }, annotations: asks },
      spec: template('again', 'wait').spec,
    });
    await untilReady(namespace, 'again');
    assert.equal(await timesOf(namespace, 'again'), firstCalls);
    // The process that is to end the other one begins as all do.
    const exec = ['exec', '--namespace', namespace, 'again', '-c', 'app', '--', '/program', 'kill'];
    // It ends with all of the container, perhaps before it has ended by itself.
    await kubectl(...exec).catch(({ message }: Error) => assert.match(message, /exit code 137/));
    await inTime(async () => {
      const { status } = await get(`/api/v1/namespaces/${namespace}/pods/again`);
      const [app] = status.containerStatuses;
      assert.deepEqual([app.restartCount, app.ready], [1, true]);
    });
    await inTime(async () => assert.equal(await timesOf(namespace, 'again'), 3 * firstCalls));
  });

  test('kubectl annotate changes the probes of a running pod', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'live', namespace, labels: { app: 'live' }, annotations: asks },
      spec: template('live', 'wait').spec,
    });
    const [before] = await untilReady(namespace, 'live');
    const attached = (text: string) => [
      ...new Set(
        [...text.matchAll(/^bpf_sidecar_probe_loaded\{.*probe="(\w+)".*\} 1$/gm)].map(([, name]) => name),
      ),
    ];
    assert.deepEqual(attached(await metrics(namespace, 'live')), ['syscalls']);
    await kubectl('annotate', '--namespace', namespace, '--overwrite', 'pod/live', 'bpf.sh/probes=process');
    await inTime(async () => assert.deepEqual(attached(await metrics(namespace, 'live')), ['process']));
    const exec = ['exec', '--namespace', namespace, 'live', '-c', 'app', '--', '/program', 'done'];
    const execs = async () =>
      sample(await metrics(namespace, 'live'), 'bpf_process_execs_total', { container: 'app' }) ?? 0;
    const first = await execs();
    await kubectl(...exec);
    await inTime(async () => assert.ok((await execs()) > first));
    const after = await get(`/api/v1/namespaces/${namespace}/pods/live`);
    const restarts = ({ status }: Raw) =>
      [...status.initContainerStatuses, ...status.containerStatuses].map(
        ({ restartCount }: Raw) => restartCount,
      );
    assert.deepEqual(restarts(after), [0, 0]);
    assert.equal(after.metadata.uid, before.metadata.uid);
  });

  test('exec into the application works, and into the sidecar is refused', async () => {
    const pod = ['--namespace', namespace, 'deployment/deployment'];
    assert.equal(await kubectl('exec', ...pod, '-c', 'app', '--', '/program', 'say', 'hello'), 'hello\n');
    assert.equal(
      await kubectl('exec', ...pod, '--', '/program', 'say', 'hello'),
      'hello\n',
      'without a container',
    );
    const node = '/usr/local/bin/node';
    const refused = await tool('kubectl', ['exec', ...pod, '-c', 'bpf-sidecar', '--', node, '--version']);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /exec and attach into the container bpf-sidecar are refused, since it could take over the node; nobody may/,
    );
  });

  test('a namespace that enforces Pod Security gets its pod without the sidecar, and a warning', async () => {
    const restricted = await createNamespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    const spec = {
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          ...container('wait'),
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
      terminationGracePeriodSeconds: 5,
    };
    const printed = await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: restricted, labels: { app: 'web' }, annotations: asks },
      spec,
    });
    assert.match(
      printed,
      /^Warning: bpf-sidecar not injected \(pod-security\): the namespace's label pod-security\.kubernetes\.io\/enforce=restricted refuses/m,
    );
    const [pod] = await untilReady(restricted, 'web');
    assert.deepEqual(initContainers(pod), []);
  });
});
