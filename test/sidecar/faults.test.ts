import assert from 'node:assert/strict';
import { globSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { entrypoint, output, podFor } from '../support/pod.ts';
import { writing } from '../support/work.ts';

test('200 restarts of a container are one series, which goes on and counts every call', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  const [restarts, calls] = [200, 50];
  const ofWorker = { container: 'worker', syscall: 'write' };
  for (let restart = 1; restart <= restarts; restart++) {
    const container = pod.addContainer('worker');
    await output(container, ...writing(calls));
    // A container has a name for the sidecar once that was told of its cgroup, which takes it some milliseconds.
    await eventually(async () =>
      assert.equal((await pod.scrape()).value('bpf_syscalls_total', ofWorker), restart * calls),
    );
    rmdirSync(container.cgroup);
  }
  const { all, value } = await pod.scrape();
  assert.equal(value('bpf_syscalls_total', ofWorker), restarts * calls);
  const written = all.filter(
    ({ name, labels }) => name === 'bpf_syscalls_total' && labels.syscall === 'write',
  );
  assert.deepEqual(
    written.map(({ labels }) => labels.container),
    ['worker'],
  );
});

for (const qos of ['guaranteed', 'burstable', 'besteffort'] as const)
  test(`with kubelet's cgroup driver systemd, a pod of QoS class ${qos} is found and counted exactly`, async (t) => {
    const pod = await podFor(t, { probes: 'syscalls', style: 'systemd', qos });
    await output(pod.addContainer('worker'), ...writing(1000));
    const { value } = await pod.scrape();
    assert.equal(value('bpf_syscalls_total', { container: 'worker', syscall: 'write' }), 1000);
  });

test('on a kernel without BTF it says so, and the application starts', async (t) => {
  // The pod is only there once its sidecar has started, as the kubelet sees it.
  const pod = await podFor(t, {
    edit(sidecar, { spec }) {
      sidecar.volumeMounts!.push({ name: 'empty', mountPath: '/sys/kernel/btf' });
      spec!.volumes!.push({ name: 'empty', emptyDir: {} });
    },
  });
  const ready = await request(pod.url('/readyz'));
  assert.equal(ready.status, 503);
  assert.match(
    ready.text,
    /the kernel has no BTF \(\/sys\/kernel\/btf\/vmlinux\): it must be built with CONFIG_DEBUG_INFO_BTF/,
  );
  assert.equal((await request(pod.url('/healthz'))).status, 200);
  assert.match(await output(pod.addContainer('web'), 'echo', 'started'), /^started$/m);
});

test('with a full disk, and a log that nobody can take, it counts on', async (t) => {
  const full = [
    'mount -t tmpfs -o size=4k none /mnt',
    '! head -c 8k /dev/zero > /mnt/file 2> /dev/null',
    'mount -o remount,bind,ro /',
    'TMPDIR=/mnt exec "$0" "$@" > /dev/full 2> /dev/full',
  ].join(' && ');
  const pod = await podFor(t, {
    probes: 'syscalls',
    edit(sidecar) {
      sidecar.command = ['sh', '-c', full, ...entrypoint];
    },
  });
  await output(pod.addContainer('worker'), ...writing(1000));
  const { value } = await pod.scrape();
  assert.equal(value('bpf_syscalls_total', { container: 'worker', syscall: 'write' }), 1000);
  assert.equal((await request(pod.url('/readyz'))).status, 200);
});

test('a clock that is set, back or forth by more than a year, changes no count', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const offset = join(directory, 'offset');
  writeFileSync(offset, '+0d\n');
  const pod = await podFor(t, {
    probes: 'syscalls',
    edit(sidecar) {
      sidecar.env!.push(
        { name: 'LD_PRELOAD', value: globSync('/usr/lib/*/faketime/libfaketime.so.1')[0]! },
        { name: 'FAKETIME_TIMESTAMP_FILE', value: offset },
        { name: 'FAKETIME_NO_CACHE', value: '1' },
        { name: 'FAKETIME_DONT_FAKE_MONOTONIC', value: '1' },
      );
    },
  });
  const worker = pod.addContainer('worker');
  const calls = 50;
  let steps = 0;
  for (const [step, days] of [
    ['-400d', -400],
    ['+400d', 400],
  ] as const) {
    writeFileSync(offset, `${step}\n`);
    await output(worker, ...writing(calls));
    // Node makes the header once a second.
    await eventually(async () => {
      const { headers } = await request(pod.url('/healthz'));
      const moved = (Date.parse(headers.get('date')!) - Date.now()) / 86_400_000;
      assert.ok(Math.abs(moved - days) < 1, `its clock is ${moved} days from ours`);
    });
    const { value } = await pod.scrape();
    assert.equal(value('bpf_syscalls_total', { container: 'worker', syscall: 'write' }), ++steps * calls);
  }
});
