import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ctr } from '../../../scripts/cluster/node/containerd.ts';
import { kubeconfigFile } from '../../../scripts/cluster/node/place.ts';
import { version } from '../../../sidecar/version.ts';
import { appImage } from '../../support/app.ts';
import {
  apply,
  createNamespace,
  get,
  helm,
  install,
  inTime,
  kubectl,
  metrics,
  onlyReplicas,
  pods,
  release,
  request,
  sample,
  skipped,
  webhookSelector,
} from '../../support/node.ts';
import { run as bpfSidecar } from '../../webhook/cli/executable.ts';
import type { Raw } from '../../webhook/fixtures.ts';

const sidecarImage = 'localhost/bpf-sidecar';
const asks = { 'bpf.sh/inject': 'true', 'bpf.sh/probes': 'syscalls' };

/** The template of a workload's pods. */
const template = (app: string, spec: object = {}) => ({
  metadata: { labels: { app }, annotations: asks },
  spec: {
    terminationGracePeriodSeconds: 5,
    containers: [{ name: 'app', image: appImage, args: ['wait'] }],
    ...spec,
  },
});

const deployment = (namespace: string, name: string, replicas: number, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name, spec) },
});

/** Never on a node: enough to see what the webhook has made of a pod. */
const nowhere = { nodeSelector: { 'kubernetes.io/hostname': 'nowhere' } };

const hasSidecar = ({ spec }: Raw) =>
  (spec.initContainers ?? []).some(({ name }: Raw) => name === 'bpf-sidecar');
const imageOf = ({ spec }: Raw) => spec.initContainers?.[0].image;

/** What would be another if a pod had been touched. */
const lifeOf = ({ metadata, status }: Raw) => [
  metadata.uid,
  ...[...status.initContainerStatuses, ...status.containerStatuses].map(
    ({ name, containerID, restartCount }: Raw) => [name, containerID, restartCount].join(),
  ),
];

describe('on a node', skipped, () => {
  let namespace: string;
  before(async () => {
    await install();
    namespace = await createNamespace();
    await apply(deployment(namespace, 'web', 1));
    await kubectl('rollout', 'status', '--namespace', namespace, '--timeout=120s', 'deployment/web');
  });
  after(() => install());

  const theWebPod = async () => (await pods(namespace, 'app=web'))[0]!;

  test('helm test passes', async () => {
    assert.match(await helm('test', release, '--namespace', release, '--timeout', '2m'), /Phase: +Succeeded/);
  });

  test('check finds that all works', async () => {
    const { code, stdout } = await bpfSidecar(['check', '--kubeconfig', kubeconfigFile]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, new RegExp(`^ok +pods with a sidecar of ${sidecarImage}:${version}: 1$`, 'm'));
    assert.match(stdout, /, 0 FAILED, /);
  });

  test('top shows what a pod does', async () => {
    const { metadata } = await theWebPod();
    const stop = new AbortController();
    const work = (async () => {
      while (!stop.signal.aborted)
        await kubectl('exec', '--namespace', namespace, metadata.name, '--', '/program', 'done');
    })();
    const argv = ['top', '--kubeconfig', kubeconfigFile, '--namespace', namespace, '--once', metadata.name];
    const { code, stdout, stderr } = await bpfSidecar(argv);
    stop.abort();
    await work;
    assert.equal(code, 0, stderr);
    const [, rate] = /^\S+ {2}app: (\S+) syscalls\/s\n$/.exec(stdout) ?? assert.fail(stdout);
    assert.ok(Number(rate!.replace(',', '')) > 0, stdout);
  });

  /** Creates pods one after the other, each as a user does, until told to stop; resolves to their names. */
  async function stream(signal: AbortSignal): Promise<string[]> {
    const names: string[] = [];
    while (!signal.aborted) {
      const name = `stream-${names.length}`;
      const { metadata, spec } = template('stream', nowhere);
      const pod = { metadata: { ...metadata, name }, spec };
      const { status, body } = await request('POST', `/api/v1/namespaces/${namespace}/pods`, pod);
      assert.equal(status, 201, `${name}: ${body.message}`);
      names.push(name);
      await delay(50);
    }
    return names;
  }

  test('while the webhook is restarted no pod is without its sidecar', async () => {
    const stop = new AbortController();
    const streaming = stream(stop.signal);
    try {
      await kubectl('rollout', 'restart', '--namespace', release, `deployment/${release}`);
      await kubectl('rollout', 'status', '--namespace', release, '--timeout=180s', `deployment/${release}`);
      await onlyReplicas();
    } finally {
      stop.abort();
    }
    const names = await streaming;
    assert.ok(names.length > 20, `${names.length} pods`);
    const made = await pods(namespace, 'app=stream');
    assert.equal(made.length, names.length);
    const without = made.filter((pod) => !hasSidecar(pod)).map(({ metadata }) => metadata.name);
    assert.deepEqual(without, []);
    await kubectl('delete', 'pods', '--namespace', namespace, '--selector', 'app=stream', '--wait=false');
  });

  const killed = new Set<string>();

  /** Kills so many replicas without a warning, as the kernel does that has no memory, once all are Ready again. */
  async function kill(count: number): Promise<void> {
    const containers = await inTime(async () => {
      const statuses = (await pods(release, webhookSelector)).map(
        ({ status }) => status.containerStatuses[0],
      );
      assert.ok(statuses.every(({ ready, containerID }: Raw) => ready && !killed.has(containerID)));
      return statuses.map(({ containerID }: Raw) => containerID);
    });
    for (const id of containers.slice(0, count)) {
      killed.add(id);
      ctr('tasks', 'kill', '--signal', 'SIGKILL', id.replace('containerd://', ''));
    }
  }

  // With Fail a controller tries again, but the longer nobody answers the later.
  for (const [failurePolicy, count] of [
    ['Ignore', 2],
    ['Fail', 1],
  ] as const)
    test(`with ${failurePolicy} no pod is lost when ${count} of the replicas are killed, again and again`, async () => {
      await install({ 'admission.failurePolicy': failurePolicy });
      const name = `growing-${failurePolicy.toLowerCase()}`;
      await apply(deployment(namespace, name, 1, nowhere));
      const steps = 12;
      const step = 3;
      for (let made = 1; made <= steps; made++) {
        if (made % 5 === 0) await kill(count);
        const replicas = `--replicas=${made * step}`;
        await kubectl('scale', '--namespace', namespace, replicas, `deployment/${name}`);
      }
      const made = await inTime(async () => {
        const found = await pods(namespace, `app=${name}`);
        assert.equal(found.length, steps * step);
        return found;
      });
      if (failurePolicy === 'Fail') assert.ok(made.every(hasSidecar));
      await kubectl('delete', '--namespace', namespace, '--cascade=foreground', `deployment/${name}`);
    });

  test('an upgrade leaves pods running, and new ones get the new sidecar', async () => {
    const before = await theWebPod();
    ctr('images', 'tag', '--force', `${sidecarImage}:${version}`, `${sidecarImage}:next`);
    await install({ 'sidecar.image.tag': 'next', 'admission.timeoutSeconds': '6' });
    await apply(deployment(namespace, 'new', 1));
    await kubectl('rollout', 'status', '--namespace', namespace, '--timeout=120s', 'deployment/new');
    const [made] = await pods(namespace, 'app=new');
    assert.equal(imageOf(made), `${sidecarImage}:next`);
    assert.deepEqual(lifeOf(await theWebPod()), lifeOf(before));
    const { code, stdout } = await bpfSidecar(['check', '--kubeconfig', kubeconfigFile]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^warn +pods with another sidecar than configured: 1; restart their workloads$/m);

    await kubectl('rollout', 'restart', '--namespace', namespace, 'deployment/web');
    await kubectl('rollout', 'status', '--namespace', namespace, '--timeout=120s', 'deployment/web');
    await inTime(async () => {
      const all = await pods(namespace, 'app=web');
      assert.deepEqual(all.map(imageOf), [`${sidecarImage}:next`]);
    });
  });

  test('an uninstallation leaves pods running, which are observed on, and new ones come without a sidecar', async () => {
    const before = await theWebPod();
    await helm('uninstall', release, '--namespace', release, '--wait');
    await apply(deployment(namespace, 'late', 1));
    await kubectl('rollout', 'status', '--namespace', namespace, '--timeout=120s', 'deployment/late');
    const [late] = await pods(namespace, 'app=late');
    assert.ok(!hasSidecar(late));
    assert.deepEqual(lifeOf(await theWebPod()), lifeOf(before));
    const { name } = before.metadata;
    const labels = { container: 'app', syscall: 'times' };
    const times = async () => sample(await metrics(namespace, name), 'bpf_syscalls_total', labels);
    const counted = await times();
    await kubectl('exec', '--namespace', namespace, name, '--', '/program', 'done');
    await inTime(async () => assert.equal(await times(), counted! + 3));
    const { status } = await get(`/api/v1/namespaces/${namespace}/pods/${name}`);
    assert.equal(status.phase, 'Running');
  });
});
