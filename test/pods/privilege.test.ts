import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { V1Container } from '@kubernetes/client-node';
import { type Capability, neededCapabilities } from '../../sidecar/contract/capabilities.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { heldBy, remaining } from '../support/kernel.ts';
import { entrypoint, type ObservedPod, output, podFor } from '../support/pod.ts';
import { decodeProfile } from '../support/profile.ts';
import { maskOf, threadsOf } from '../support/threads.ts';
import { writing } from '../support/work.ts';

const mainThread = (pod: ObservedPod) =>
  Number(readFileSync(join(pod.sidecar.cgroup, 'cgroup.procs'), 'utf8'));

async function assertCounts(pod: ObservedPod): Promise<void> {
  const web = pod.addContainer(`web-${Math.random()}`);
  await output(web, ...writing(100));
  assert.equal(
    (await pod.scrape()).value('bpf_syscalls_total', { container: web.name, syscall: 'write' }),
    100,
  );
}

/** Says that the sidecar rests: the main thread may have these and has BPF in force, the others nothing to begin with. */
function assertRests(pod: ObservedPod, permitted: readonly Capability[]): void {
  const threads = threadsOf(mainThread(pod));
  const [main, ...others] = threads;
  // A machine may have taken some from us already.
  assert.equal(main.permitted, maskOf(permitted) & ours);
  assert.equal(main.effective, maskOf(['BPF']));
  for (const thread of threads) {
    assert.equal(thread.noNewPrivileges, '1', thread.name);
    // execve(2) would give SETUID to nobody who has it not.
    assert.equal(thread.bounding & ~maskOf(['SETUID']), main.bounding & ~maskOf(['SETUID']), thread.name);
    assert.equal(thread.inheritable | thread.ambient, 0n, thread.name);
  }
  assert.deepEqual(
    others.filter((thread) => (thread.permitted | thread.effective) !== 0n),
    [],
  );
  assert.ok(others.some(({ name }) => name === 'V8Worker'));
  assert.ok(!others.some(({ name }) => name === 'SignalInspector'));
}

const ours = BigInt(`0x${/^CapBnd:\t(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`);

test('a privileged sidecar keeps only what its probes may need, in one thread, and only BPF in force', async (t) => {
  const permitted = ['BPF', 'PERFMON', 'NET_ADMIN', 'SYSLOG'] as const;
  const pod = await podFor(t, { probes: 'syscalls' });
  assertRests(pod, permitted);
  for (const { bounding } of threadsOf(mainThread(pod)))
    assert.equal(bounding, maskOf([...permitted, 'SYS_RESOURCE', 'SETUID']) & ours);
  await assertCounts(pod);

  // Attaching raises it for a moment, and afterwards it rests again.
  pod.running.updateAnnotations({ 'bpf.sh/inject': 'true', 'bpf.sh/probes': builtinProbes.join(',') });
  await eventually(async () => {
    const { text } = await request(pod.url('/'));
    for (const probe of builtinProbes)
      assert.match(text, new RegExp(`^${probe}: ([1-9]\\d*|no) program`, 'm'));
    assert.match(text, /^problems: 0$/m);
  });
  await eventually(() => assertRests(pod, permitted));
  await assertCounts(pod);
});

/** Has a sidecar's container run with these capabilities and no others. */
const limitedTo = (names: readonly Capability[]) => (sidecar: V1Container) => {
  const added = names.map((name) => `,+${name.toLowerCase()}`).join('');
  sidecar.command = ['setpriv', '--bounding-set', `-all${added}`, ...entrypoint];
};

for (const probe of builtinProbes) {
  const needed = neededCapabilities([probe], [], 9387);
  const toAttach = needed.filter((name) => name !== 'SETUID');
  test(`${probe} works with ${needed.join(', ')} alone`, async (t) => {
    const pod = await podFor(t, { probes: probe, privilege: 'capabilities' });
    assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
    assertRests(pod, toAttach);
  });

  // Attaches without it: see below.
  for (const missing of toAttach.filter((name) => name !== 'SYSLOG'))
    test(`${probe} does not work without ${missing}, and says so`, async (t) => {
      const pod = await podFor(t, {
        probes: probe,
        edit: limitedTo(needed.filter((name) => name !== missing)),
      });
      const { status, text } = await request(pod.url('/readyz'));
      assert.equal(status, 503);
      assert.match(
        text,
        /EPERM \(not permitted: the container must be privileged, or have CAP_BPF, CAP_PERFMON/,
      );
    });
}

test('without SYSLOG a profile has no names of kernel functions, and says so', async (t) => {
  if (Number(readFileSync('/proc/sys/kernel/perf_event_paranoid', 'utf8')) <= 1)
    return t.skip(
      'needs kernel.perf_event_paranoid of 2 or more: here the kernel shows its functions to everybody',
    );
  const pod = await podFor(t, { probes: 'profile', edit: limitedTo(['BPF', 'PERFMON', 'SETUID']) });
  const web = pod.addContainer('web');
  const work = web.spawn(writing(100_000_000), { stdio: 'ignore' });
  t.after(() => work.kill('SIGKILL'));
  const response = await fetch(pod.url('/debug/pprof/profile?seconds=1'));
  const profile = decodeProfile(Buffer.from(await response.arrayBuffer()));
  assert.deepEqual(profile.comments, [
    "the names of the kernel's functions cannot be read: the container must be privileged, or have CAP_SYSLOG, and kernel.kptr_restrict must be below 2",
  ]);
  const functions = profile.samples.flatMap(({ frames }) => frames.flatMap((frame) => frame.functions));
  assert.deepEqual([...new Set(functions)], ['[kernel]']);
});

test('without SETUID it works, and tells that other threads keep what they have', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls', edit: limitedTo(['BPF', 'PERFMON']) });
  await assertCounts(pod);
  const [main, ...others] = threadsOf(mainThread(pod));
  assert.equal(main.effective, maskOf(['BPF']));
  for (const { permitted, noNewPrivileges } of [main, ...others]) {
    assert.equal(permitted, maskOf(['BPF', 'PERFMON']));
    assert.equal(noNewPrivileges, '1');
  }
  assert.match(
    pod.running.containers[0]!.lastLines().join('\n'),
    /threads that need no capabilities keep them, because the container lacks CAP_SETUID/,
  );
});

test('with the capabilities of its probes it counts, and shares dispatchers', async (t) => {
  const pods = [
    await podFor(t, { probes: 'network,syscalls,tcp', privilege: 'capabilities', cgroupNamespace: true }),
    await podFor(t, { probes: 'network,syscalls,tcp', privilege: 'capabilities' }),
  ];
  for (const pod of pods) {
    assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
    await assertCounts(pod);
  }
});

test('a sidecar that only attaches has only what reading needs once it has, and counts, and ends cleanly', async (t) => {
  const pod = await podFor(t, { probes: builtinProbes.join(), privilege: 'attach-only' });
  assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
  assertRests(pod, ['BPF', 'SYSLOG']);
  await assertCounts(pod);
  const before = heldBy(mainThread(pod));

  pod.running.updateAnnotations({ 'bpf.sh/inject': 'true', 'bpf.sh/probes': 'syscalls' });
  await eventually(async () =>
    assert.match(
      (await request(pod.url('/'))).text,
      /^bpf\.sh\/probes: changed without effect, because the administrator has the sidecar keep no capabilities for that \(--privilege attach-only\); create the pod anew$/m,
    ),
  );
  await assertCounts(pod);
  assert.equal((await request(pod.url('/readyz'))).status, 200);
  assert.deepEqual(heldBy(mainThread(pod)), before);
  assertRests(pod, ['BPF', 'SYSLOG']);

  await pod.running.stop();
  assert.equal(pod.running.containers[0]!.outcome(), 'ended with exit code 0');
  await eventually(() => assert.deepEqual(remaining(before), []));
});

test('a port below 1024 cannot be had without NET_BIND_SERVICE, which is told', async (t) => {
  const annotations = { 'bpf.sh/metrics-port': '80' };
  const edit = limitedTo(['BPF', 'PERFMON', 'SETUID']);
  await assert.rejects(podFor(t, { probes: 'syscalls', annotations, edit }), /listen EACCES.*:80\b/);
});

test('a port below 1024 needs NET_BIND_SERVICE to begin with and no longer', async (t) => {
  const pod = await podFor(t, {
    annotations: { 'bpf.sh/metrics-port': '80' },
    probes: 'syscalls',
    privilege: 'capabilities',
  });
  assert.equal((await request(`http://${pod.sandbox.address}/readyz`)).text, 'every probe is attached\n');
  assertRests(pod, ['BPF', 'PERFMON']);
});
