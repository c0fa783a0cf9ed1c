import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';
import { type ObservedPod, output, startObservedPod } from '../support/pod.ts';

const writes = 100_000;
/** Copies byte by byte: exactly as many write calls as bytes. */
const work = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', `count=${writes}`, 'status=none'];

describe('the syscalls probe', () => {
  let pod: ObservedPod;
  let web: Container;
  let worker: Container;
  before(async () => {
    pod = await startObservedPod({ probes: 'syscalls' });
    web = pod.addContainer('web');
    worker = pod.addContainer('worker');
  });
  after(() => pod.stop());

  const written = async (labels: Record<string, string>) =>
    (await pod.scrape()).sum('bpf_syscalls_total', { syscall: 'write', ...labels });

  test('counts each call of a container, on its series, with all the labels of the pod', async () => {
    await output(web, ...work);
    const { namespace, pod: name, node } = pod.sandbox;
    assert.equal(await written({ namespace, pod: name, node, container: 'web' }), writes);
  });

  test('has observed the duration of each call, within what the calls can have taken', async () => {
    const samples = await pod.scrape();
    const labels = { container: 'web', syscall: 'write' };
    assert.equal(samples.value('bpf_syscall_duration_seconds_count', labels), writes);
    assert.equal(samples.value('bpf_syscall_duration_seconds_bucket', { ...labels, le: '+Inf' }), writes);
    const sum = samples.value('bpf_syscall_duration_seconds_sum', labels);
    assert.ok(sum > writes * 20e-9 && sum < 60, `${sum} s for ${writes} writes`);
  });

  test('tells a second container of the pod apart', async () => {
    await output(worker, ...work);
    assert.equal(await written({ container: 'worker' }), writes);
    assert.equal(await written({ container: 'web' }), writes);
  });

  test('counts nothing of another pod, of the node, or of the sidecar itself', async () => {
    const other = await startObservedPod({ probes: 'syscalls', pod: 'other' });
    try {
      await output(other.addContainer('web'), ...work);
      await output(pod.sidecar, ...work);
      await once(spawn(work[0]!, work.slice(1)), 'exit');
      assert.equal(await written({}), 2 * writes);
      const samples = await other.scrape();
      assert.equal(samples.sum('bpf_syscalls_total', { syscall: 'write' }), writes);
    } finally {
      await other.stop();
    }
  });

  test('counts cgroups that a container has nested as that container', async () => {
    await output(
      worker,
      'sh',
      '-c',
      `mkdir ${worker.cgroup}/nested && echo $$ > ${worker.cgroup}/nested/cgroup.procs && exec ${work.join(' ')}`,
    );
    assert.ok((await written({ container: 'worker' })) >= 2 * writes);
    assert.equal(await written({ container: 'web' }), writes);
  });

  test('leaves out cgroups that the sidecar has nested', async () => {
    const before = await written({});
    const { cgroup } = pod.sidecar;
    await output(
      pod.sidecar,
      'sh',
      '-c',
      `mkdir ${cgroup}/nested && echo $$ > ${cgroup}/nested/cgroup.procs && exec ${work.join(' ')}`,
    );
    assert.equal(await written({}), before);
  });

  test('counts errors by errno', async () => {
    const labels = { container: 'web', syscall: 'kill', errno: 'ESRCH' };
    const failing =
      'import os\nfor _ in range(1234):\n try: os.kill(2**22 + 7, 0)\n except ProcessLookupError: pass';
    await output(web, 'python3', '-c', failing);
    const samples = await pod.scrape();
    assert.equal(samples.value('bpf_syscall_errors_total', labels), 1234);
    assert.equal(samples.value('bpf_syscalls_total', { container: 'web', syscall: 'kill' }), 1234);
  });

  test('lost nothing in silence', async () => {
    assert.equal((await pod.scrape()).value('bpf_syscalls_uncounted_total'), 0);
  });
});
