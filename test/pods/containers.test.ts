import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { type ObservedPod, output, podFor } from '../support/pod.ts';

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

/** Runs so many containers that each ask once for their priority, and are gone. */
async function churn(pod: ObservedPod, containers: number): Promise<void> {
  for (let i = 0; i < containers; i++) {
    const job = pod.addContainer('job');
    // It asks once for its priority, and says it.
    const child = job.spawn(['nice'], { stdio: 'ignore' });
    await once(child, 'exit');
    await removeContainer(job);
  }
}

/** Of the sidecar's process, in MiB. */
function residentMemory(pod: ObservedPod): number {
  const pid = readFileSync(join(pod.sidecar.cgroup, 'cgroup.procs'), 'utf8').split('\n')[0];
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kilobytes) / 1024;
}

test('counts what a thousand short-lived containers did, and keeps nothing of each', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  await churn(pod, 100);
  await pod.scrape();
  const before = residentMemory(pod);
  await churn(pod, 900);
  // One that it has never seen counts as gone when two looks did not find it.
  await pod.scrape();
  const samples = await pod.scrape();
  assert.equal(samples.sum('bpf_syscalls_total', { syscall: 'getpriority' }), 1000);
  assert.equal(samples.value('bpf_syscalls_uncounted_total'), 0);
  assert.equal(samples.sum('bpf_sidecar_series_dropped_total'), 0);
  // Some may have come and gone before the sidecar looked, and have no name. A container makes some 20 different calls.
  const { all } = samples;
  const counters = all.filter(({ name }) => name === 'bpf_syscalls_total');
  for (const { labels } of counters) assert.ok(['', 'job'].includes(labels.container!), labels.container);
  assert.ok(counters.length < 200, `${counters.length} series`);
  const entries = samples.sum('bpf_sidecar_map_entries', { probe: 'syscalls' });
  assert.ok(entries < 200, `${entries} entries`);
  const grown = residentMemory(pod) - before;
  assert.ok(grown < 24, `${grown} MiB more memory`);
});

test('containers of every kind have their names: init, restarted, those beside, and ephemeral ones', async (t) => {
  const pod = await podFor(t, { probes: 'syscalls' });
  const expected: Record<string, number> = {};
  const run = async (name: string, times: number) => {
    const container = pod.addContainer(name);
    await output(container, ...calls(times));
    expected[name] = (expected[name] ?? 0) + times;
    const samples = await pod.scrape();
    for (const [of, value] of Object.entries(expected))
      assert.equal(samples.value('bpf_syscalls_total', { ...counted, container: of }), value, of);
    return container;
  };
  // An init container ends before the others begin; kubelet links its log in the same way.
  await removeContainer(await run('migrate', 3));
  await run('web', 5);
  await removeContainer(await run('worker', 7));
  await run('worker', 11);
  // As kubectl debug calls it.
  await run('debugger-x7k2p', 2);
  const { all } = await pod.scrape();
  const named = new Set(
    all.flatMap(({ name, labels }) => (name === 'bpf_syscalls_total' ? [labels.container] : [])),
  );
  assert.deepEqual(named, new Set([...Object.keys(expected)]));
});
