import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { output, podFor } from '../support/pod.ts';
import { writing } from '../support/work.ts';

const setting = '/proc/sys/kernel/bpf_stats_enabled';

test('the runs of programs are told while the kernel counts them, shared dispatchers too', async (t) => {
  const before = readFileSync(setting, 'utf8');
  t.after(() => writeFileSync(setting, before));
  writeFileSync(setting, '0');
  const pod = await podFor(t, { probes: 'syscalls,network' });
  const told = ({ all }: Awaited<ReturnType<typeof pod.scrape>>) =>
    all.filter(({ name }) => name.startsWith('bpf_sidecar_program_run'));
  assert.deepEqual(told(await pod.scrape()), []);

  writeFileSync(setting, '1');
  const start = await pod.scrape();
  await output(pod.addContainer('web'), ...writing(10_000));
  const end = await pod.scrape();
  const labels = { probe: 'syscalls', program: 'sys_enter' };
  const runs = (scrape: typeof end) => scrape.value('bpf_sidecar_program_runs_total', labels);
  // dd reads and writes; everybody else on the node is counted too.
  assert.ok(runs(end) - runs(start) >= 20_000, `${runs(start)} and then ${runs(end)}`);
  const nanoseconds = (1e9 * end.value('bpf_sidecar_program_run_seconds_total', labels)) / runs(end);
  assert.ok(nanoseconds > 1 && nanoseconds < 100_000, `${nanoseconds} ns`);
  // On the pod's cgroup: the dispatcher in front of the program, for the packets of the scrapes.
  assert.ok(end.value('bpf_sidecar_program_runs_total', { probe: 'network', program: 'receive' }) > 0);
});
