import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { cgroupRoot } from '../../scripts/node/cgroups.ts';
import type { Container } from '../../scripts/node/sandbox.ts';
import { numberIn } from '../../sidecar/maps/cgroup-files.ts';
import { eventually } from '../support/eventually.ts';
import { type Run, startObedient } from '../support/obedient.ts';
import { type ObservedPod, type Samples, startObservedPod } from '../support/pod.ts';

const prelude = `
libc = ctypes.CDLL(None, use_errno=True)
# PR_SET_THP_DISABLE: each page by itself, whatever this machine does with huge ones.
assert libc.prctl(41, 1, 0, 0, 0) == 0
# Private: before Linux 6.0 the first write to a page of shared memory is a major fault (d92725256b4f).
private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
def touch(pages):
    with mmap.mmap(-1, 4096 * pages, flags=private) as memory:
        for page in range(pages): memory[page * 4096] = 1
# A thread that was joined may still have a moment to go.
def end(threads):
    for thread in threads: thread.join()
    while len(os.listdir('/proc/self/task')) > 1: threading.Event().wait(0.001)
def enter(cgroup): open(cgroup + '/cgroup.procs', 'w').write('0')
`;

interface Faults {
  minor: number;
  major: number;
}

/** Of a process, by the kernel: those of all its threads, also of the ones that have ended. */
function toldByKernel({ pid }: { pid: number }): Faults {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').map(Number);
  return { minor: fields[7]!, major: fields[9]! };
}

function counted(samples: Samples, container: string): Faults {
  const [minor, major] = ['minor', 'major'].map((type) =>
    samples.value('bpf_process_paging_faults_total', { container, system_paging_fault_type: type }),
  );
  return { minor: minor!, major: major! };
}

const difference = (end: Faults, start: Faults): Faults => ({
  minor: end.minor - start.minor,
  major: end.major - start.major,
});

const v1 = '/sys/fs/cgroup/memory';
const hasV1 = existsSync(join(v1, 'memory.limit_in_bytes'));
const withoutV1 = hasV1
  ? false
  : 'needs the memory controller of cgroup v1, where processes of two pods can have a limit together';
const hasV2 = readFileSync(join(cgroupRoot(), 'cgroup.controllers'), 'utf8').includes('memory');
const withoutLimits = hasV1 || hasV2 ? false : 'needs a memory controller';

/** The cgroup that limits what processes have together which enter it: of v1 one by itself, of v2 the container's. */
function limitedMemory(t: TestContext, bytes: number, container?: Container): string {
  if (!hasV1) {
    writeFileSync(join(container!.cgroup, 'memory.max'), String(bytes));
    return container!.cgroup;
  }
  const cgroup = join(v1, `bpf-sidecar-test-${process.pid}`);
  mkdirSync(cgroup);
  t.after(() =>
    eventually(() => {
      for (const pid of readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean))
        process.kill(Number(pid), 'SIGKILL');
      rmdirSync(cgroup);
    }),
  );
  writeFileSync(join(cgroup, 'memory.limit_in_bytes'), String(bytes));
  return cgroup;
}

/** How many processes the kernel killed in a memory cgroup. */
const kernelKills = (cgroup: string) =>
  Number(
    numberIn(readFileSync(join(cgroup, hasV1 ? 'memory.oom_control' : 'memory.events'), 'utf8'), 'oom_kill'),
  );

const mebibyte = 1 << 20;

describe('the memory probe', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'memory' });
  });
  after(() => pod.stop());

  async function startIn(container: Container): Promise<Run> {
    const run = await startObedient(container, prelude);
    await run('touch(10)');
    return run;
  }

  /** The faults of a container with this process alone, once it waits: as counted, and by the kernel. */
  const resting = (container: string, run: Run) =>
    eventually(async () => {
      const told = toldByKernel(run);
      const samples = await pod.scrape();
      assert.deepEqual(toldByKernel(run), told);
      return { counted: counted(samples, container), told };
    });

  /**
   * What a program adds to them. The last fault of a thread counts when it has the next one: there is one such before and
   * after.
   */
  async function added(container: string, run: Run, program: string) {
    const start = await resting(container, run);
    const answer = await run(`${program}\ntouch(1)`);
    const end = await resting(container, run);
    return {
      counted: difference(end.counted, start.counted),
      told: difference(end.told, start.told),
      answer,
    };
  }

  test("counts minor faults as the kernel does for the process, also in threads and in the kernel's work for it", async () => {
    const run = await startIn(pod.addContainer('web'));
    const byTouch = await added('web', run, 'touch(5000)');
    assert.deepEqual(byTouch.counted, byTouch.told);
    assert.ok(byTouch.told.minor >= 5000, String(byTouch.told.minor));

    const inThreads = await added(
      'web',
      run,
      `threads = [threading.Thread(target=touch, args=[500]) for _ in range(8)]
for thread in threads: thread.start()
end(threads)`,
    );
    assert.deepEqual(inThreads.counted, inThreads.told);
    assert.ok(inThreads.told.minor >= 4000, String(inThreads.told.minor));

    const byKernel = await added(
      'web',
      run,
      `os.readv(os.open('/dev/zero', os.O_RDONLY), [mmap.mmap(-1, 4096 * 1000, flags=private)])
with mmap.mmap(-1, 4096 * 1000, flags=private | mmap.MAP_POPULATE): pass`,
    );
    assert.deepEqual(byKernel.counted, byKernel.told);
    assert.ok(byKernel.told.minor >= 2000, String(byKernel.told.minor));
  });

  test('counts major faults as the kernel does, of pages that are on a disk', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'pages');
    const run = await startIn(pod.addContainer('reader'));
    const { counted, told } = await added(
      'reader',
      run,
      `fd = os.open(${JSON.stringify(path)}, os.O_RDWR | os.O_CREAT)
os.write(fd, b'x' * 4096 * 300)
os.fsync(fd)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as file:
    file.madvise(mmap.MADV_RANDOM)
    for page in range(300): file[page * 4096]`,
    );
    assert.deepEqual(counted, told);
    if (told.major < 300) t.skip(`${tmpdir()} is no file system on a disk`);
  });

  test('counts all faults of processes that have ended, from their fork on', async () => {
    const run = await startIn(pod.addContainer('forking'));
    const { counted, told, answer } = await added(
      'forking',
      run,
      `answer = [0, 0]
for n in range(1, 101):
    pid = os.fork()
    if pid == 0:
        touch(n)
        os._exit(0)
    usage = os.wait4(pid, 0)[2]
    answer[0] += usage.ru_minflt
    answer[1] += usage.ru_majflt`,
    );
    const [minor, major] = answer as [number, number];
    assert.ok(minor >= 5050, String(minor));
    assert.deepEqual(counted, { minor: told.minor + minor, major: told.major + major });
  });

  test('counts nothing that another pod, the sidecar, or the node does', async () => {
    const idle = await startIn(pod.addContainer('idle'));
    const other = await startObservedPod({ probes: 'memory', pod: 'other' });
    after(() => other.stop());
    const start = await pod.scrape();
    const busy = await startIn(other.addContainer('idle'));
    const sidecar = await startIn(pod.sidecar);
    await busy('touch(3000)');
    await sidecar('touch(3000)');
    const end = await pod.scrape();
    const names = ['bpf_process_paging_faults_total', 'bpf_memory_oom_kills_total'];
    for (const name of names) assert.equal(end.sum(name), start.sum(name), name);
    assert.ok(counted(await other.scrape(), 'idle').minor >= 3000);
    await idle('pass');
  });

  test('counts the processes that the kernel kills, with size, command and number of the last one', {
    skip: withoutLimits,
  }, async (t) => {
    const hungry = pod.addContainer('hungry');
    const run = await startIn(hungry);
    const cgroup = limitedMemory(t, 48 * mebibyte, hungry);
    const killed = (await run(`
answer = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        open('/proc/self/comm', 'w').write('eater')
        enter(${JSON.stringify(cgroup)})
        touch(10 ** 5)
    answer.append([pid, os.waitpid(pid, 0)[1]])`)) as [number, number][];
    assert.deepEqual(
      killed.map(([, status]) => status),
      [9, 9, 9],
    );
    assert.equal(kernelKills(cgroup), 3);
    const labels = { container: 'hungry' };
    const samples = await pod.scrape();
    assert.equal(samples.value('bpf_memory_oom_kills_total', labels), 3);
    assert.equal(samples.value('bpf_memory_oom_victim_bytes_count', labels), 3);
    const mean = samples.value('bpf_memory_oom_victim_bytes_sum', labels) / 3 / mebibyte;
    // They share some pages with the parent, which are not charged to them.
    assert.ok(mean > 40 && mean < 80, `${mean} MiB`);

    const headers = { accept: 'application/openmetrics-text; version=1.0.0' };
    const text = await (await fetch(pod.url('/metrics'), { headers })).text();
    const exemplar =
      /^bpf_memory_oom_victim_bytes_bucket\{.*container="hungry".*\} 3 # (\{.*\}) (\d+) /m.exec(text);
    assert.equal(exemplar?.[1], `{pid="${killed[2]![0]}",comm="eater"}`);
  });

  test('counts a kill for the pod of the victim, not for the one that asked for memory', {
    skip: withoutV1,
  }, async (t) => {
    const cgroup = limitedMemory(t, 64 * mebibyte);
    const other = await startObservedPod({ probes: 'memory', pod: 'other' });
    after(() => other.stop());
    const victim = await startIn(other.addContainer('victim'));
    const eater = await startIn(pod.addContainer('eater'));
    await victim(`
child = os.fork()
if child == 0:
    open('/proc/self/oom_score_adj', 'w').write('1000')
    enter(${JSON.stringify(cgroup)})
    memory = bytearray(40 * 2 ** 20)
    libc.pause()`);
    const usage = () => Number(readFileSync(join(cgroup, 'memory.usage_in_bytes'), 'utf8'));
    await eventually(() => assert.ok(usage() > 40 * mebibyte));
    const before = (await pod.scrape()).sum('bpf_memory_oom_kills_total');
    const status = await eater(`
child = os.fork()
if child == 0:
    enter(${JSON.stringify(cgroup)})
    touch(40 * 256)
    os._exit(0)
answer = os.waitpid(child, 0)[1]`);
    assert.equal(status, 0);
    assert.equal(await victim('answer = os.waitpid(child, 0)[1]'), 9);
    assert.equal((await other.scrape()).value('bpf_memory_oom_kills_total', { container: 'victim' }), 1);
    assert.equal((await pod.scrape()).sum('bpf_memory_oom_kills_total'), before);
  });

  test('counts each time that a thread has to free memory for its limit, and how long it takes', {
    skip: withoutLimits,
  }, async (t) => {
    const instance = `/sys/kernel/tracing/instances/bpf-sidecar-test-${process.pid}`;
    if (!existsSync('/sys/kernel/tracing/instances')) return t.skip('needs tracefs');
    const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-'));
    mkdirSync(instance);
    t.after(() => {
      rmdirSync(instance);
      rmSync(directory, { recursive: true });
    });
    const writer = pod.addContainer('writer');
    const run = await startIn(writer);
    const cgroup = limitedMemory(t, 32 * mebibyte, writer);
    await run(`enter(${JSON.stringify(cgroup)})`);
    writeFileSync(join(instance, 'set_event_pid'), String(run.pid));
    writeFileSync(join(instance, 'events/vmscan/mm_vmscan_memcg_reclaim_end/enable'), '1');
    await run(`
with open(${JSON.stringify(join(directory, 'pages'))}, 'wb') as file:
    for _ in range(100): file.write(b'x' * 2 ** 20)`);
    const told = readFileSync(join(instance, 'trace'), 'utf8').match(/mm_vmscan_memcg_reclaim_end/g)?.length;
    const labels = { container: 'writer', cause: 'limit' };
    const samples = await pod.scrape();
    assert.ok(told! > 10, `${told} reclaims`);
    assert.equal(samples.value('bpf_memory_reclaim_seconds_count', labels), told);
    const seconds = samples.value('bpf_memory_reclaim_seconds_sum', labels);
    assert.ok(seconds > 0 && seconds < 20, `${seconds} s`);
  });

  test("tells what the kernel counts of the container's cgroup", async (t) => {
    const web = pod.addContainer('files');
    if (!existsSync(join(web.cgroup, 'memory.stat')))
      return t.skip('needs the memory controller of cgroup v2');
    await (await startIn(web))('touch(1000)');
    const samples = await pod.scrape();
    const labels = { container: 'files' };
    const pgfault = numberIn(readFileSync(join(web.cgroup, 'memory.stat'), 'utf8'), 'pgfault');
    assert.equal(samples.value('bpf_memory_faults_total', labels), Number(pgfault));
    assert.ok(samples.value('bpf_memory_usage_bytes', labels) > 0);
  });

  test('lost nothing in silence', async () => {
    assert.equal((await pod.scrape()).value('bpf_memory_events_uncounted_total'), 0);
  });
});
