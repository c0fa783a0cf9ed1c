import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mountPaths } from '../../sidecar/contract/pod.ts';
import { defaultProbes } from '../../sidecar/contract/probes.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { heldBy, remaining } from '../support/kernel.ts';
import { entrypoint, type ObservedPod, output, podFor } from '../support/pod.ts';
import { writing } from '../support/work.ts';

/** As `kubectl annotate --overwrite` does, less the annotations that are not named. */
function annotate(pod: ObservedPod, annotations: Record<string, string>): void {
  const own = Object.entries(annotations).map(([name, value]) => [`bpf.sh/${name}`, value]);
  pod.running.updateAnnotations({ 'bpf.sh/inject': 'true', ...Object.fromEntries(own) });
}

const page = async (pod: ObservedPod) => (await request(pod.url('/'))).text;

/** The probes that the page for people shows with all their programs attached, once none is being attached. */
async function attached(pod: ObservedPod): Promise<string[]> {
  const text = await page(pod);
  assert.match(text, /^problems: 0$/m);
  return [...text.matchAll(/^(\w+): [1-9]\d* program/gm)].map(([, name]) => name!).sort();
}

const haveAttached = (pod: ObservedPod, probes: string[]) =>
  eventually(async () => assert.deepEqual(await attached(pod), probes));

/** How many changes had this result. */
async function changes(pod: ObservedPod, result: string): Promise<number> {
  return (await pod.scrape()).value('bpf_sidecar_config_changes_total', { result });
}

const held = (pod: ObservedPod) =>
  heldBy(Number(readFileSync(join(pod.sidecar.cgroup, 'cgroup.procs'), 'utf8')));

const logged = (pod: ObservedPod, sentence: string) =>
  pod.running.containers[0]!.lastLines().filter((line) => JSON.parse(line).msg.includes(sentence));

test('a probe that stays counts on exactly while others come and go', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  const web = pod.addContainer('web');
  const writes = async () =>
    (await pod.scrape()).value('bpf_syscalls_total', { container: 'web', syscall: 'write' });
  await output(web, ...writing(100_000));
  assert.equal(await writes(), 100_000);
  const before = held(pod);

  let changing = true;
  let expected = 200_000;
  const across = async () => {
    for (; changing; expected += 1_000) await output(web, ...writing(1_000));
  };
  const change = async () => {
    annotate(pod, { probes: 'network,syscalls,tcp' });
    await haveAttached(pod, ['network', 'syscalls', 'tcp']);
    annotate(pod, { probes: 'syscalls' });
    await haveAttached(pod, ['syscalls']);
  };
  await Promise.all([
    across(),
    change().finally(() => {
      changing = false;
    }),
  ]);
  await output(web, ...writing(100_000));
  assert.equal(await writes(), expected);
  assert.deepEqual(held(pod), before);
});

test('a probe that is replaced is gone from the kernel and from the metrics, the new one counts', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  await output(pod.addContainer('web'), 'true');
  const ofProbe = ({ all }: Awaited<ReturnType<ObservedPod['scrape']>>, probe: string) =>
    all.filter(({ name, labels }) => name.startsWith(`bpf_${probe}`) || labels.probe === probe);
  assert.notDeepEqual(ofProbe(await pod.scrape(), 'syscalls'), []);
  const before = held(pod);

  annotate(pod, { probes: 'network' });
  await haveAttached(pod, ['network']);
  await eventually(() => assert.deepEqual(remaining(before), []));
  const samples = await pod.scrape();
  assert.deepEqual(ofProbe(samples, 'syscalls'), []);
  await output(pod.addContainer('worker'), 'bash', '-c', `: > /dev/tcp/${pod.sandbox.address}/9387`);
  assert.ok((await pod.scrape()).sum('bpf_network_packet_count_total', { container: 'worker' }) > 0);
});

test('without the annotation bpf.sh/probes the default probes are back, and an empty one attaches none', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  annotate(pod, {});
  await haveAttached(pod, defaultProbes.toSorted());
  annotate(pod, { probes: '' });
  await haveAttached(pod, []);
  assert.equal((await request(pod.url('/readyz'))).status, 200);
  await eventually(() => assert.deepEqual(held(pod), []));
});

test('a bad change is told and changes nothing, and the next good one is followed', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls', annotations: { 'bpf.sh/containers': 'web' } });
  const before = held(pod);
  for (const [bad, sentence] of [
    [
      { probes: 'network,none' },
      'annotation bpf.sh/probes="network,none": unknown probe "none"; allowed are',
    ],
    [{ probes: 'network', colour: 'red' }, 'annotation bpf.sh/colour="red": unknown annotation; allowed are'],
  ] as const) {
    annotate(pod, bad);
    await eventually(async () => assert.ok((await page(pod)).includes(`nothing changed:\n${sentence}`)));
    assert.equal((await pod.scrape()).value('bpf_sidecar_config_valid'), 0);
    await eventually(() => assert.equal(logged(pod, sentence).length, 1));
    assert.deepEqual(await attached(pod), ['syscalls']);
    assert.equal((await request(pod.url('/readyz'))).status, 200);
  }
  assert.deepEqual(held(pod), before);
  for (const name of ['web', 'proxy']) await output(pod.addContainer(name), 'true');
  const { all } = await pod.scrape();
  const containers = all
    .filter(({ name }) => name === 'bpf_syscalls_total')
    .map(({ labels }) => labels.container);
  assert.deepEqual([...new Set(containers)], ['web']);

  annotate(pod, { probes: 'syscalls,tcp' });
  await haveAttached(pod, ['syscalls', 'tcp']);
  assert.doesNotMatch(await page(pod), /not accepted/);
  assert.equal((await pod.scrape()).value('bpf_sidecar_config_valid'), 1);
  assert.deepEqual([await changes(pod, 'rejected'), await changes(pod, 'accepted')], [2, 1]);
});

test('ten quick changes end in the last state, and leave nothing behind', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  const before = held(pod);
  for (let i = 0; i < 5; i++)
    for (const [probes, unwanted] of [
      ['network,tcp', /^syscalls:/m],
      ['syscalls,network', /^tcp:/m],
    ] as const) {
      annotate(pod, { probes });
      // Once it has begun with this change, the next comes in the midst of it.
      await eventually(async () => assert.doesNotMatch(await page(pod), unwanted));
    }
  await haveAttached(pod, ['network', 'syscalls']);
  annotate(pod, { probes: '' });
  await haveAttached(pod, []);
  await eventually(() => assert.deepEqual([held(pod), remaining(before)], [[], []]));
});

test('bpf.sh/containers, pod-labels and log-level take effect on series and log that are there already', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls', labels: { team: 'shop' } });
  for (const name of ['web', 'worker']) await output(pod.addContainer(name), ...writing(100));
  const writes = async (labels: Record<string, string>) =>
    (await pod.scrape()).value('bpf_syscalls_total', { syscall: 'write', ...labels });
  assert.equal(await writes({ container: 'worker' }), 100);

  annotate(pod, { probes: 'syscalls', containers: 'web', 'pod-labels': 'team', 'log-level': 'error' });
  await eventually(async () => assert.equal(await writes({ container: 'worker' }), 0));
  assert.equal(await writes({ container: 'web', pod_label_team: 'shop' }), 100);

  const lines = pod.running.containers[0]!.lastLines();
  annotate(pod, { probes: 'syscalls', 'log-level': 'error' });
  await eventually(async () => assert.equal(await changes(pod, 'accepted'), 2));
  assert.equal(await writes({ container: 'worker' }), 100);
  assert.deepEqual(pod.running.containers[0]!.lastLines(), lines);
});

test('a port or resource that changes is told once, and everything else of the change is followed', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  const sentence =
    'bpf.sh/metrics-port, bpf.sh/cpu-limit: changed without effect, because a running pod keeps its port and resources; create the pod anew';
  annotate(pod, { probes: 'syscalls,tcp', 'metrics-port': '9400', 'cpu-limit': '1' });
  await haveAttached(pod, ['syscalls', 'tcp']);
  assert.ok((await page(pod)).includes(`\n${sentence}\n`));
  annotate(pod, { probes: 'tcp', 'metrics-port': '9400', 'cpu-limit': '1' });
  await haveAttached(pod, ['tcp']);
  assert.equal(logged(pod, sentence).length, 1);
  annotate(pod, { probes: 'tcp' });
  await eventually(async () => assert.ok(!(await page(pod)).includes(sentence)));
});

test('annotations that are none of ours, and bpf.sh/inject, change nothing', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  const before = held(pod);
  pod.running.updateAnnotations({ 'bpf.sh/inject': 'false', 'bpf.sh/probes': 'syscalls', other: 'new' });
  annotate(pod, { probes: 'syscalls', containers: 'web' });
  await eventually(async () => assert.equal(await changes(pod, 'accepted'), 1));
  assert.deepEqual(held(pod), before);
});

test('where the kernel tells of no change it is found all the same, and a bad start is mended by it', async (t) => {
  const { podInfo } = mountPaths;
  const pod = await podFor(t, {
    probes: 'syscalls',
    edit(sidecar) {
      // Another mount hides the volume. It stays mounted elsewhere when it is taken away, and its inode is what
      // the sidecar has a watch on.
      const hide = `mount -t tmpfs none ${podInfo} && mount --bind ${podInfo} /mnt`;
      sidecar.command = ['sh', '-c', `${hide} && exec "$@"`, 'sh', ...entrypoint];
    },
  });
  assert.equal((await request(pod.url('/readyz'))).status, 503);
  const pid = readFileSync(join(pod.sidecar.cgroup, 'cgroup.procs'), 'utf8').trim();
  assert.equal(spawnSync('nsenter', ['-t', pid, '-m', 'umount', podInfo]).status, 0);
  await haveAttached(pod, ['syscalls']);
  assert.equal((await request(pod.url('/readyz'))).status, 200);
});
