import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { type ObservedPod, output, type Samples, startObservedPod } from '../support/pod.ts';
import { startPython } from '../support/python.ts';

/** Counters of a container by name and, where they have one, by exit code or signal. */
function counted({ all }: Samples, container: string): Record<string, number> {
  const counters = all.filter(
    ({ name, labels }) => /^bpf_process_.*_total$/.test(name) && labels.container === container,
  );
  return Object.fromEntries(
    counters.map(({ name, labels, value }) => [
      [name.slice('bpf_process_'.length, -'_total'.length), labels.process_exit_code ?? labels.signal]
        .filter((part) => part !== undefined)
        .join(' '),
      value,
    ]),
  );
}

describe('the process probe', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'process' });
  });
  after(() => pod.stop());

  async function startIn(container: Container): Promise<(program: string) => Promise<unknown>> {
    const { process, run } = await startPython(container);
    after(() => process.kill());
    await run('import os, signal, subprocess, threading, time');
    return run;
  }

  /** What a container's counters have grown by; those that did not are left out. */
  async function growth(
    observed: ObservedPod,
    container: string,
  ): Promise<(expected: Record<string, number>) => Promise<void>> {
    const start = counted(await observed.scrape(), container);
    return (expected) =>
      eventually(async () => {
        const end = counted(await observed.scrape(), container);
        const grown = Object.entries(end).map(([name, value]) => [name, value - (start[name] ?? 0)]);
        assert.deepEqual(Object.fromEntries(grown.filter(([, value]) => value !== 0)), expected);
      });
  }

  test('counts forks, executions, threads, and exits by code, with the SIGCHLD for each', async () => {
    const run = await startIn(pod.addContainer('web'));
    const check = await growth(pod, 'web');
    // Without a handler the kernel ignores SIGCHLD, and nobody receives it.
    await run('signal.signal(signal.SIGCHLD, lambda *_: None)');
    await run(`
for code in range(256):
    pid = os.fork()
    if pid == 0: os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
for _ in range(40): subprocess.run(['/bin/true'])
for _ in range(300):
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
`);
    const codes = Object.fromEntries(Array.from({ length: 256 }, (_, code) => [`exits ${code}`, 1]));
    await check({
      ...codes,
      'exits 0': 41,
      forks: 296,
      execs: 40,
      threads_started: 300,
      'signals SIGCHLD': 296,
    });
  });

  test('counts a process once, with the status that its parent sees, whichever of its threads is the last', async () => {
    const run = await startIn(pod.addContainer('threads'));
    const check = await growth(pod, 'threads');
    const statuses = (await run(`
def many(end):
    pid = os.fork()
    if pid == 0:
        for _ in range(16): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        end()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
answer = [many(lambda: os._exit(7)) for _ in range(50)]
answer += [many(lambda: os.kill(os.getpid(), signal.SIGKILL)) for _ in range(50)]
`)) as number[];
    assert.deepEqual([...new Set(statuses)], [7, -9]);
    // The first thread goes, and a later one decides.
    await run(`
pid = os.fork()
if pid == 0:
    import ctypes
    threading.Thread(target=lambda: (time.sleep(0.05), os._exit(9))).start()
    ctypes.CDLL(None).syscall(${process.arch === 'arm64' ? 93 : 60}, 3)
answer = os.waitpid(pid, 0)[1]
assert os.waitstatus_to_exitcode(answer) == 9
`);
    await check({
      'exits 7': 50,
      'exits 9': 1,
      'kills SIGKILL': 50,
      'signals SIGKILL': 50,
      forks: 101,
      threads_started: 1601,
    });
  });

  test('counts the signals that processes get and those that end them', async () => {
    const run = await startIn(pod.addContainer('signals'));
    const check = await growth(pod, 'signals');
    await run(`
received = []
for number in (signal.SIGUSR1, signal.SIGRTMIN + 1): signal.signal(number, lambda n, _: received.append(n))
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
for _ in range(500): os.kill(os.getpid(), signal.SIGUSR1)
for _ in range(30): os.kill(os.getpid(), signal.SIGRTMIN + 1)
for _ in range(20): os.kill(os.getpid(), signal.SIGUSR2)
os.kill(os.getpid(), 0)
assert len(received) == 530
def die(end):
    pid = os.fork()
    if pid == 0: end()
    os.waitpid(pid, 0)
import ctypes, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for _ in range(5): die(lambda: os.kill(os.getpid(), signal.SIGTERM))
for _ in range(4): die(lambda: ctypes.string_at(0))
for _ in range(3): die(lambda: os.abort())
`);
    await check({
      forks: 12,
      'kills SIGTERM': 5,
      'kills SIGSEGV': 4,
      'kills SIGABRT': 3,
      'signals SIGUSR1': 500,
      'signals real-time': 30,
      'signals SIGTERM': 5,
      'signals SIGSEGV': 4,
      'signals SIGABRT': 3,
    });
  });

  test('gives a signal to the pod of its target, and what a process does to its own', async () => {
    const other = await startObservedPod({ probes: 'process', pod: 'other' });
    after(() => other.stop());
    const here = await startIn(pod.addContainer('here'));
    const there = await startIn(other.addContainer('there'));
    const sidecar = await startIn(pod.sidecar);
    const handling = 'signal.signal(signal.SIGUSR1, lambda *_: None); answer = os.getpid()';
    const pids = [await here(handling), await there(handling), await sidecar(handling)];
    const checks = [await growth(pod, 'here'), await growth(other, 'there')];
    // A standard signal that is still pending is not sent again, so that each is answered first.
    const send = async (sender: typeof here, target: number, times: number) => {
      const receiver = [here, there, sidecar][target]!;
      for (let i = 0; i < times; i++) {
        await sender(`os.kill(${pids[target]}, signal.SIGUSR1)`);
        await receiver('pass');
      }
    };
    await send(here, 1, 30);
    await send(there, 0, 20);
    await send(sidecar, 0, 7);
    await send(here, 2, 10);
    const forking = (times: number) =>
      `
for _ in range(${times}):
    pid = os.fork()
    if pid == 0: os.execv('/bin/true', ['true'])
    os.waitpid(pid, 0)`;
    await there(forking(25));
    await sidecar(forking(15));
    await checks[0]!({ 'signals SIGUSR1': 27 });
    await checks[1]!({ 'signals SIGUSR1': 30, forks: 25, execs: 25, 'exits 0': 25 });
    const { all } = await pod.scrape();
    const containers = all
      .filter(({ name }) => name.startsWith('bpf_process_'))
      .map(({ labels }) => labels.container);
    assert.ok(!containers.includes('bpf-sidecar') && !containers.includes('there'), String(containers));
  });

  test('does not count as a fork what the container runtime puts into the pod, and lost nothing in silence', async () => {
    assert.equal((await pod.scrape()).value('bpf_process_events_uncounted_total'), 0);
    const fresh = pod.addContainer('fresh');
    const check = await growth(pod, 'fresh');
    await output(fresh, '/bin/true');
    // In the container the process becomes nsenter, and that the command.
    await check({ execs: 2, 'exits 0': 1 });
  });
});
