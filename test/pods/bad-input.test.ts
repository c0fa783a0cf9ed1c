import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { V1Container } from '@kubernetes/client-node';
import { mountPaths } from '../../sidecar/contract/pod.ts';
import { request } from '../support/http.ts';
import {
  entrypoint,
  type ObservedPod,
  type ObservedPodOptions,
  output,
  podFor,
  samplesOf,
} from '../support/pod.ts';
import { writing } from '../support/work.ts';

/** Has a shell do something to the place that the sidecar starts in, as its last act before. */
const first = (script: string) => (sidecar: V1Container) => {
  sidecar.command = ['sh', '-c', `${script} && exec "$@"`, 'sh', ...entrypoint];
};

const withoutCapabilities =
  (...names: string[]) =>
  (sidecar: V1Container) => {
    const dropped = names.map((name) => `-${name}`).join(',');
    sidecar.command = ['setpriv', '--bounding-set', dropped, ...entrypoint];
  };

const withoutMount = (path: string) => (sidecar: V1Container) => {
  sidecar.volumeMounts = sidecar.volumeMounts!.filter(({ mountPath }) => mountPath !== path);
};

const withUid = (uid: string) => (sidecar: V1Container) => {
  sidecar.env = [...sidecar.env!, { name: 'POD_UID', value: uid }];
};

/** As somebody edits a pod that runs already: the webhook does not see it, a restarted sidecar does. */
const annotated =
  (annotation: string, value: string): NonNullable<ObservedPodOptions['edit']> =>
  (_, pod) => {
    pod.metadata!.annotations![annotation] = value;
  };

/** What must hold whatever the sidecar was given: it runs, says why it does no more, and ends when told. */
async function assertLimps(pod: ObservedPod, sentence: RegExp): Promise<void> {
  assert.equal((await request(pod.url('/healthz'))).status, 200);
  const ready = await request(pod.url('/readyz'));
  assert.equal(ready.status, 503);
  assert.match(ready.text, /^[^\n]{20,1200}\n$/, 'one line');
  assert.match(ready.text, sentence);
  const open = await request(pod.url('/readyz?fail-open=true'));
  assert.deepEqual([open.status, open.text], [200, ready.text]);
  assert.ok((await request(pod.url('/'))).text.includes(ready.text.trim().replace(/^probe \w+: /, '')));

  const metrics = await request(pod.url('/metrics'));
  assert.equal(metrics.status, 200);
  const { namespace, pod: name, node } = pod.sandbox;
  const labels = { namespace, pod: name, node, container: 'bpf-sidecar' };
  assert.equal(samplesOf(metrics.text).value('bpf_sidecar_build_info', labels), 1);

  await pod.running.stop();
  assert.equal(pod.running.containers[0]!.outcome(), 'ended with exit code 0');
}

const unknownUid = randomUUID();

for (const [what, edit, sentence] of [
  [
    'no BTF',
    first('mount -t tmpfs none /sys/kernel/btf'),
    /^the kernel has no BTF \(\/sys\/kernel\/btf\/vmlinux\): it must be built with CONFIG_DEBUG_INFO_BTF$/m,
  ],
  [
    'no cgroup v2',
    first(`umount $(awk '/ - cgroup2 / { print $5 }' /proc/self/mountinfo)`),
    /^no cgroup v2 hierarchy is mounted: the node must run with cgroup v2, unified or hybrid$/m,
  ],
  [
    'no privilege',
    withoutCapabilities('bpf', 'perfmon', 'sys_admin'),
    /: EPERM \(not permitted: the container must be privileged, or have CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN\)$/m,
  ],
  [
    'a POD_UID that no pod has',
    withUid(unknownUid),
    new RegExp(
      `^no cgroup of pod ${unknownUid} under .*: POD_UID must be this pod's uid, and the host's /sys/fs/cgroup mounted$`,
      'm',
    ),
  ],
  [
    'an unknown annotation',
    annotated('bpf.sh/colour', 'red'),
    /^annotation bpf\.sh\/colour="red": unknown annotation; allowed are .*$/m,
  ],
  [
    'an unknown probe',
    annotated('bpf.sh/probes', 'syscalls,none'),
    /^annotation bpf\.sh\/probes="syscalls,none": unknown probe "none"; allowed are [a-z, ]+$/m,
  ],
  [
    'no annotations at all',
    withoutMount(mountPaths.podInfo),
    /^the pod's annotations cannot be read from \/etc\/bpf-sidecar\/podinfo\/annotations \(ENOENT\): mount the downward API volume that the webhook adds$/m,
  ],
] as const)
  test(`with ${what} the sidecar stays up and says so`, async (t) => {
    await assertLimps(await podFor(t, { probes: 'syscalls', edit }), sentence);
  });

test("with the POD_UID of another pod the sidecar stays up, says so, and counts nothing of that pod's", async (t) => {
  const other = await podFor(t, { probes: 'syscalls', pod: 'other' });
  const pod = await podFor(t, { probes: 'syscalls', edit: withUid(other.sandbox.uid) });
  await output(other.addContainer('web'), 'true');
  assert.equal((await pod.scrape()).sum('bpf_syscalls_total'), 0);
  await assertLimps(pod, new RegExp(`POD_UID ${other.sandbox.uid} is not its own pod's$`, 'm'));
  assert.equal((await request(other.url('/readyz'))).status, 200);
});

test('a program that may not be loaded says so, and the others count', async (t) => {
  const edit = withoutCapabilities('net_admin', 'sys_admin');
  const pod = await podFor(t, { probes: 'tcp,syscalls', edit });
  await output(pod.addContainer('web'), ...writing(100));
  const { value } = await pod.scrape();
  assert.equal(value('bpf_syscalls_total', { container: 'web', syscall: 'write' }), 100);
  const attached = (program: string) => value('bpf_sidecar_program_attached', { probe: 'tcp', program });
  assert.deepEqual(['tcp_event', 'send_reset', 'receive_reset'].map(attached), [0, 1, 1]);
  assert.ok(value('bpf_sidecar_load_errors_total', { probe: 'tcp' }) > 0);
  await assertLimps(pod, /^probe tcp: program \w+ cannot be loaded: EPERM \(not permitted: .*\)/);
});

test('the capabilities that it asks for are enough, without a privileged container', async (t) => {
  const edit = (sidecar: V1Container) => {
    sidecar.command = ['setpriv', '--bounding-set', '-all,+bpf,+perfmon,+net_admin', ...entrypoint];
  };
  const pod = await podFor(t, { probes: 'network,syscalls,tcp', edit });
  assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
});

test('without the container logs of the node it is ready, and ids stand for names', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls', edit: withoutMount(mountPaths.containerLogs) });
  assert.equal((await request(pod.url('/readyz'))).status, 200);
  const web = pod.addContainer('web');
  await output(web, 'true');
  const { all } = await pod.scrape();
  const containers = all
    .filter(({ name }) => name === 'bpf_syscalls_total')
    .map(({ labels }) => labels.container);
  assert.deepEqual([...new Set(containers)], [web.id.slice(0, 12)]);
});
