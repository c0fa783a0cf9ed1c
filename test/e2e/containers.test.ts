import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { output, podFor } from '../support/pod.ts';

/** getpriority, a system call that nothing else here makes. */
const calls = (times: number) => [
  'python3',
  '-c',
  `import os\nfor _ in range(${times}): os.getpriority(0, 0)`,
];
const counted = { container: 'web', syscall: 'getpriority' };

/** As a runtime does it when the last process of a container has ended. */
const removeContainer = (container: Container) => eventually(() => rmdirSync(container.cgroup));

test('a restarted container continues its counters, and the space of the old one is free', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  const seen: number[] = [];
  for (const times of [10, 20, 30]) {
    const web = pod.addContainer('web');
    await output(web, ...calls(times));
    seen.push((await pod.scrape()).value('bpf_syscalls_total', counted));
    await removeContainer(web);
    const samples = await pod.scrape();
    seen.push(samples.value('bpf_syscalls_total', counted));
    assert.equal(samples.value('bpf_syscall_duration_seconds_count', counted), seen.at(-1));
  }
  assert.deepEqual(seen, [10, 10, 30, 30, 60, 60]);
  const containers = (await pod.scrape()).all.flatMap(({ labels }) => labels.container ?? []);
  assert.deepEqual([...new Set(containers)].sort(), ['bpf-sidecar', 'web']);
});

test('counts what a thousand short-lived containers did, and keeps nothing of each', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  const churn = 1000;
  for (let i = 0; i < churn; i++) {
    const job = pod.addContainer('job');
    // It asks once for its priority, and says it.
    const child = job.spawn(['nice'], { stdio: 'ignore' });
    await once(child, 'exit');
    await removeContainer(job);
  }
  const samples = await pod.scrape();
  // Some may have come and gone before the sidecar looked, and have no name.
  assert.equal(samples.sum('bpf_syscalls_total', { syscall: 'getpriority' }), churn);
  assert.ok(samples.value('bpf_syscalls_total', { ...counted, container: 'job' }) > churn / 2);
  assert.equal(samples.value('bpf_syscalls_uncounted_total'), 0);
});
