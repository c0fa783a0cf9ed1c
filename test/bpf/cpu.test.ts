import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cgroupRoot } from '../../scripts/node/cgroups.ts';
import type { Container } from '../../scripts/node/sandbox.ts';
import { numberIn } from '../../sidecar/maps/cgroup-files.ts';
import { eventually } from '../support/eventually.ts';
import { type ObservedPod, output, type Samples, startObservedPod } from '../support/pod.ts';
import { type Python, startPython } from '../support/python.ts';

const preparation = `
import os, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
`;

/** What the scheduler says of tasks, or the probe of a container; times in ns. */
interface Scheduling {
  voluntary: number;
  involuntary: number;
  migrations: number;
  runs: number;
  waited: number;
  ran: number;
}

/** Of a process with one thread. The kernel's own numbers, from three files that other code of it fills. */
function toldByKernel({ process: { pid } }: Python): Scheduling {
  const file = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8');
  const line = (name: string, pattern: RegExp) => Number(pattern.exec(file(name))![1]);
  const [ran, waited] = file('schedstat').split(' ').map(Number);
  const voluntary = line('status', /^voluntary_ctxt_switches:\t(\d+)$/m);
  const involuntary = line('status', /^nonvoluntary_ctxt_switches:\t(\d+)$/m);
  return {
    voluntary,
    involuntary,
    migrations: line('sched', /^se\.nr_migrations +: +(\d+)$/m),
    // Schedstat leaves out those of a task that was preempted on its way to sleep, and so did not queue for its next.
    runs: voluntary + involuntary,
    waited: waited!,
    ran: ran!,
  };
}

function counted({ value }: Samples, container: string): Scheduling {
  const switches = (type: string) =>
    value('bpf_process_context_switches_total', { container, process_context_switch_type: type });
  const nanoseconds = (name: string) => Math.round(value(name, { container }) * 1e9);
  const runs = value('bpf_cpu_run_queue_latency_seconds_count', { container });
  assert.equal(value('bpf_cpu_run_duration_seconds_count', { container }), runs);
  return {
    voluntary: switches('voluntary'),
    involuntary: switches('involuntary'),
    migrations: value('bpf_cpu_migrations_total', { container }),
    runs,
    waited: nanoseconds('bpf_cpu_run_queue_latency_seconds_sum'),
    ran: nanoseconds('bpf_cpu_run_duration_seconds_sum'),
  };
}

function sum(all: readonly Scheduling[]): Scheduling {
  return all.reduce((a, b) => combine(a, b, (x, y) => x + y));
}

const difference = (a: Scheduling, b: Scheduling) => combine(a, b, (x, y) => x - y);

function combine(a: Scheduling, b: Scheduling, operation: (x: number, y: number) => number): Scheduling {
  const entries = Object.entries(a).map(([name, value]) => [
    name,
    operation(value, b[name as keyof Scheduling]),
  ]);
  return Object.fromEntries(entries);
}

describe('the cpu probe', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'cpu' });
  });
  after(() => pod.stop());

  /** A process that is asleep, and was before in this container. */
  async function startIn(container: Container): Promise<Python> {
    const python = await startPython(container);
    after(() => python.process.kill());
    await python.run(preparation);
    return python;
  }

  /** Compares what a container's processes, which are all there, did in the meantime; afterwards they must be asleep. */
  async function observing(
    observed: ObservedPod,
    container: string,
    processes: readonly Python[],
  ): Promise<() => Promise<Scheduling>> {
    const told = () => sum(processes.map(toldByKernel));
    const seen = async () => counted(await observed.scrape(), container);
    // All are asleep when nothing moves: what has not left its CPU yet is told by the kernel alone.
    const resting = async () => {
      const before = told();
      const inBetween = await seen();
      assert.deepEqual(told(), before);
      return { told: before, seen: inBetween };
    };
    const start = await eventually(resting);
    return () =>
      eventually(async () => {
        const end = await resting();
        const actual = difference(end.seen, start.seen);
        assert.deepEqual(actual, difference(end.told, start.told));
        return actual;
      });
  }

  test('counts switches, waits, run time and migrations of tasks to the nanosecond as the kernel does', async () => {
    const web = pod.addContainer('web');
    const processes = [await startIn(web), await startIn(web), await startIn(web)];
    const check = await observing(pod, 'web', processes);
    await Promise.all(processes.map(({ run }) => run('os.sched_setaffinity(0, {0}); burn(0.2)')));
    await processes[0]!.run('for _ in range(500): time.sleep(0.0001)');
    await processes[1]!.run('for i in range(100): os.sched_setaffinity(0, {i % 2})');
    const scheduling = await check();
    // A timer may be faster than the switch.
    assert.ok(scheduling.voluntary >= 250, `${scheduling.voluntary} voluntary switches`);
    assert.ok(scheduling.involuntary >= 10, `${scheduling.involuntary} involuntary switches`);
    assert.ok(scheduling.migrations >= 99, `${scheduling.migrations} migrations`);
    // Three that burn 0.2 s each on one CPU: the last one waits for the others.
    assert.ok(scheduling.waited > 0.4e9 && scheduling.ran > 0.6e9, JSON.stringify(scheduling));
  });

  test('counts tasks from their birth to their death', async () => {
    const parent = pod.addContainer('parent');
    const { run } = await startIn(parent);
    const usage = () => Number(numberIn(readFileSync(join(parent.cgroup, 'cpu.stat'), 'utf8'), 'usage_usec'));
    const state = async () => {
      const before = usage();
      const seen = counted(await pod.scrape(), 'parent');
      assert.equal(usage(), before);
      return { usage: before, seen };
    };
    const start = await eventually(state);
    await run(`
for i in range(30):
    if os.fork() == 0: burn(0.005); os._exit(0)
    if i % 3: os.wait()
`);
    await run('for _ in range(10): os.wait()');
    await eventually(async () => {
      const end = await state();
      const { ran, voluntary } = difference(end.seen, start.seen);
      const used = (end.usage - start.usage) * 1000;
      // The file has whole microseconds.
      assert.ok(Math.abs(ran - used) < 1000, `${ran} ns, and ${used} ns in cpu.stat`);
      assert.ok(used > 30 * 0.005e9 && voluntary >= 30);
    });
  });

  test('gives each pod its own part of what tasks of two pods do to each other', async () => {
    const other = await startObservedPod({ probes: 'cpu', pod: 'other' });
    after(() => other.stop());
    const idle = pod.addContainer('idle');
    const resting = await startIn(idle);
    const here = await startIn(pod.addContainer('here'));
    const there = await startIn(other.addContainer('there'));
    const sidecar = await startIn(pod.sidecar);
    const checks = [
      await observing(pod, 'here', [here]),
      await observing(other, 'there', [there]),
      await observing(pod, 'idle', [resting]),
    ];
    // Each wakes the other, on one CPU, so that nearly every switch is from a task of one to one of the other.
    await pingPong(here, there, 2000);
    await pingPong(here, sidecar, 1000);
    await pingPong(sidecar, there, 1000);
    const [ofHere, ofThere, ofIdle] = await Promise.all(checks.map((check) => check()));
    for (const { voluntary, involuntary } of [ofHere!, ofThere!])
      assert.ok(voluntary + involuntary >= 3000, `${voluntary} and ${involuntary} switches`);
    assert.deepEqual(Object.values(ofIdle!), [0, 0, 0, 0, 0, 0]);
    const { all } = await pod.scrape();
    const containers = new Set(all.map(({ labels }) => labels.container));
    assert.ok(!containers.has('there'));
    const ofSidecar = all.filter(
      ({ name, labels }) => labels.container === 'bpf-sidecar' && !name.startsWith('bpf_sidecar_'),
    );
    assert.deepEqual(ofSidecar, []);
  });

  async function pingPong(first: Python, second: Python, times: number): Promise<void> {
    const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-cpu-'));
    const [forth, back] = ['forth', 'back'].map((name) => JSON.stringify(join(directory, name)));
    try {
      await first.run(`os.mkfifo(${forth}); os.mkfifo(${back})`);
      const play = (a: string, b: string, turn: string) => `
os.sched_setaffinity(0, {0})
a, b = ${a}, ${b}
for _ in range(${times}): ${turn}
os.close(a); os.close(b)`;
      const [sender, receiver] = ['os.O_WRONLY', 'os.O_RDONLY'];
      await Promise.all([
        first.run(
          play(
            `os.open(${forth}, ${sender})`,
            `os.open(${back}, ${receiver})`,
            "os.write(a, b'x'); os.read(b, 1)",
          ),
        ),
        second.run(
          play(
            `os.open(${forth}, ${receiver})`,
            `os.open(${back}, ${sender})`,
            "os.read(a, 1); os.write(b, b'x')",
          ),
        ),
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  test('tells the CPU time that a container has used up to the scrape', async () => {
    const busy = pod.addContainer('busy');
    const used = () =>
      Number(numberIn(readFileSync(join(busy.cgroup, 'cpu.stat'), 'utf8'), 'usage_usec')) / 1e6;
    // A task that never leaves its CPU for long is not behind.
    const spinning = busy.spawn(['python3', '-c', 'while True: pass'], { stdio: 'ignore' });
    after(() => spinning.kill());
    await eventually(() => assert.ok(used() > 0.1));
    const before = used();
    const seconds = (await pod.scrape()).value('bpf_cpu_time_seconds_total', { container: 'busy' });
    assert.ok(before <= seconds && seconds <= used(), `${before} <= ${seconds} <= ${used()}`);
    spinning.kill();
  });

  const controllers = readFileSync(join(cgroupRoot(), 'cgroup.controllers'), 'utf8').trim().split(' ');
  const withoutLimits = controllers.includes('cpu')
    ? false
    : 'needs the cpu controller in the cgroup v2 hierarchy';
  test('tells how a CPU limit throttled a container', { skip: withoutLimits }, async () => {
    const limited = pod.addContainer('limited');
    writeFileSync(join(limited.cgroup, 'cpu.max'), '10000 100000');
    await output(limited, 'python3', '-c', 'import time\nwhile time.process_time() < 0.05: pass');
    // The kernel may count another period after the process has ended.
    await eventually(async () => {
      const file = readFileSync(join(limited.cgroup, 'cpu.stat'), 'utf8');
      const samples = await pod.scrape();
      const value = (name: string) => samples.value(`bpf_cpu_${name}_total`, { container: 'limited' });
      assert.equal(value('periods'), Number(numberIn(file, 'nr_periods')));
      assert.equal(value('throttled_periods'), Number(numberIn(file, 'nr_throttled')));
      assert.equal(value('throttled_seconds'), Number(numberIn(file, 'throttled_usec')) / 1e6);
      assert.ok(value('throttled_periods') > 0);
    });
  });

  test('lost nothing in silence', async () => {
    assert.equal((await pod.scrape()).value('bpf_cpu_events_uncounted_total'), 0);
  });
});
