import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cgroupRoot } from '../../scripts/node/cgroups.ts';
import type { Container } from '../../scripts/node/sandbox.ts';
import { type ObservedPod, startObservedPod } from '../support/pod.ts';

const without = existsSync(join(cgroupRoot(), 'cpu.pressure')) ? false : 'needs a kernel with PSI';
const metric = 'bpf_pressure_cpu_waiting_seconds_total';

describe('the pressure probe', { skip: without }, () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'pressure' });
  });
  after(() => pod.stop());

  /** Two more tasks than there are CPUs, for half a second of CPU time each. */
  async function compete(container: Container): Promise<void> {
    const spin = 'import time\nwhile time.process_time() < 0.5: pass';
    const tasks = Array.from({ length: cpus().length + 2 }, () =>
      container.spawn(['python3', '-c', spin], { stdio: 'ignore' }),
    );
    await Promise.all(tasks.map((task) => once(task, 'exit')));
  }

  const waited = async (container: string) => (await pod.scrape()).value(metric, { container });

  /** As the kernel tells it at this moment, in seconds. */
  function told({ cgroup }: Container): number {
    const text = readFileSync(join(cgroup, 'cpu.pressure'), 'utf8');
    return Number(/^some .* total=(\d+)$/m.exec(text)![1]) / 1e6;
  }

  test("tells the time in which a container's tasks waited for a CPU, as the kernel counts it", async () => {
    const web = pod.addContainer('web');
    await compete(web);
    const before = told(web);
    const seconds = await waited('web');
    assert.ok(before > 0.1, `${before} s: there was too little competition`);
    assert.ok(before <= seconds && seconds <= told(web), `${before} <= ${seconds} <= ${told(web)}`);
  });

  test('tells nothing of what other pods and the sidecar waited for', async () => {
    const idle = pod.addContainer('idle');
    const other = await startObservedPod({ probes: 'pressure' });
    after(() => other.stop());
    await compete(other.addContainer('web'));
    assert.equal(await waited('idle'), told(idle));
    const { all } = await pod.scrape();
    const containers = all.filter(({ name }) => name === metric).map(({ labels }) => labels.container);
    assert.ok(!containers.includes('bpf-sidecar'), String(containers));
  });
});
