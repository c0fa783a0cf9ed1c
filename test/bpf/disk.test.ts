import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, type TestContext, test } from 'node:test';
import { lasting, placeOf } from '../../scripts/node/place.ts';
import type { Container } from '../../scripts/node/sandbox.ts';
import { cgroupId } from '../../sidecar/pod/cgroups.ts';
import { type Probe, startProbe } from '../../sidecar/probe.ts';
import type { ScalarFamily } from '../../sidecar/series/family.ts';
import { builtinProbe } from '../../sidecar/source.ts';
import { type LoopDevice, makeLoopDevice } from '../support/loop.ts';
import { type ObservedPod, output, type Samples, startObservedPod } from '../support/pod.ts';
import { exactInSomeRound } from '../support/rounds.ts';

/** Requests of known sizes to a device, and how many of them failed. */
const work = `
import fcntl, mmap, os, struct, sys
device = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
block, blocks = mmap.mmap(-1, 4096), mmap.mmap(-1, 65536)
failed = 0
for i in range(100):
    try: os.pwrite(device, block, i * 4096)
    except OSError: failed += 1
for i in range(50):
    # Before Linux 5.19 tmpfs makes room also for what is read through a loop device.
    try: os.preadv(device, [blocks], i * 65536)
    except OSError: assert failed
BLKDISCARD = 0x1277
fcntl.ioctl(device, BLKDISCARD, struct.pack('QQ', 8 << 20, 1 << 20))
print(failed)
`;
const expected = {
  operations: { read: 50, write: 100, discard: 1 },
  bytes: { read: 50 * 65_536, write: 100 * 4096, discard: 1 << 20 },
};

/** Does all of `expected`, and tells how many writes failed. */
async function workOn(container: Container, { path }: LoopDevice): Promise<number> {
  return Number(await output(container, 'python3', '-c', work, path));
}

/** What the kernel itself counted of a device: Documentation/block/stat.rst. */
function told({ name }: LoopDevice) {
  const stat = readFileSync(`/sys/block/${name}/stat`, 'utf8').trim().split(/\s+/).map(Number);
  const of = (field: number, factor = 1): Record<string, number> => ({
    read: stat[field]! * factor,
    write: stat[field + 4]! * factor,
    discard: stat[field + 11]! * factor,
  });
  // Milliseconds, rounded down.
  const milliseconds = of(3);
  const seconds = Object.fromEntries(Object.entries(milliseconds).map(([key, ms]) => [key, (ms + 1) / 1000]));
  return { operations: of(0), bytes: of(2, 512), seconds };
}

describe('the disk probe', () => {
  let pod: ObservedPod;
  let other: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'disk' });
    other = await startObservedPod({ probes: 'disk', pod: 'other' });
  });
  /** What a test has made, to be undone from the last on. */
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const action of undo.splice(0).reverse()) action();
  });
  after(async () => {
    await pod.stop();
    await other.stop();
  });

  /** A device of a test; undefined, with the test skipped, where there can be none. */
  function deviceFor(t: TestContext, directory = directoryFor()): LoopDevice | undefined {
    try {
      const device = makeLoopDevice(join(directory, 'disk'));
      undo.push(device.detach);
      return device;
    } catch (error) {
      t.skip(`needs loop devices: ${(error as Error).message}`);
      return undefined;
    }
  }

  function directoryFor(): string {
    const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-disk-'));
    undo.push(() => rmSync(directory, { recursive: true, force: true }));
    return directory;
  }

  /** The same programs for the requests of the whole node: to whom they are charged does not matter. */
  function startNodeWide(): Probe {
    const { spec, ...source } = builtinProbe('disk');
    const subjects = { block_rq_issue: 'node', block_rq_complete: 'node' } as const;
    const place = { ...placeOf(pod.sandbox, pod.sidecar), mayObserveNode: true };
    const context = { containerName: String, ...lasting, wantsContainer: () => true, generation: () => 0 };
    const probe = startProbe({ ...source, spec: { ...spec!, subjects } }, place, context);
    undo.push(probe.close);
    assert.deepEqual(
      probe.programs.map(({ problem }) => problem),
      [undefined, undefined],
    );
    return probe;
  }

  /** A metric of all containers together, by direction. */
  function ofNode(probe: Probe, metric: string, { name }: LoopDevice): Record<string, number> {
    const family = probe.read().find((family) => family.name === `bpf_disk_${metric}`)!;
    const sums = { read: 0, write: 0, discard: 0 };
    for (const { labels, ...series } of family.series) {
      if (!labels.includes(`system_device="${name}"`)) continue;
      const direction = /disk_io_direction="(\w+)"/.exec(labels)![1] as keyof typeof sums;
      sums[direction] += 'value' in series ? series.value : series.sum;
    }
    return sums;
  }

  test('counts each request and its bytes as the kernel counts them of a device', async (t) => {
    const device = deviceFor(t);
    if (!device) return;
    const probe = startNodeWide();
    const web = pod.addContainer('direct');
    const ours = () => ({
      operations: ofNode(probe, 'operations_total', device),
      bytes: ofNode(probe, 'io_bytes_total', device),
    });
    // Whoever looks at new devices reads from this one too.
    await exactInSomeRound(async () => {
      const [before, toldBefore] = [ours(), told(device)];
      assert.equal(await workOn(web, device), 0);
      const [now, toldNow] = [ours(), told(device)];
      for (const kind of ['operations', 'bytes'] as const)
        for (const [direction, count] of Object.entries(expected[kind])) {
          const added = now[kind][direction]! - before[kind][direction]!;
          assert.equal(
            added,
            toldNow[kind][direction]! - toldBefore[kind][direction]!,
            `${kind} ${direction}`,
          );
          assert.equal(added, count, `${kind} ${direction}`);
        }
    });
    assert.deepEqual(ofNode(probe, 'operation_errors_total', device), { read: 0, write: 0, discard: 0 });
    // The kernel's own time begins earlier, when the request is made.
    for (const [direction, seconds] of Object.entries(ofNode(probe, 'operation_time_seconds', device)))
      assert.ok(seconds > 0 && seconds <= told(device).seconds[direction]!, `${seconds} s of ${direction}`);
  });

  test('counts requests that the device fails to do, and none of their bytes', async (t) => {
    const directory = directoryFor();
    const small = join(directory, 'small');
    mkdirSync(small);
    // The device has 16 MiB, and room for 64 KiB.
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]);
    undo.push(() => execFileSync('umount', ['--lazy', small]));
    const device = deviceFor(t, small);
    if (!device) return;
    const probe = startNodeWide();
    const failed = await workOn(pod.addContainer('failing'), device);
    assert.ok(failed > 0 && failed < 100, `${failed} writes failed`);
    assert.equal(ofNode(probe, 'operation_errors_total', device).write, failed);
    assert.equal(ofNode(probe, 'operations_total', device).write, 100);
    assert.equal(ofNode(probe, 'io_bytes_total', device).write, (100 - failed) * 4096);
  });

  test('finds the cgroup that a request is charged to, whoever is current when it is complete', async (t) => {
    const blkio = '/sys/fs/cgroup/blkio';
    if (!existsSync(join(blkio, 'cgroup.procs')))
      return t.skip('block I/O is not charged to cgroup v1 on this machine; the next tests show it for v2');
    const device = deviceFor(t);
    if (!device) return;
    const group = mkdtempSync(join(blkio, 'bpf-sidecar-disk-'));
    undo.push(() => rmdirSync(group));
    const probe = startNodeWide();
    const web = pod.addContainer('charged');
    const charged = ['sh', '-c', 'echo 0 > "$0/cgroup.procs" && exec "$@"', group];
    await output(web, ...charged, 'python3', '-c', work, device.path);
    assert.equal(await workOn(web, device), 0);
    const operations = probe.read().find(({ name }) => name === 'bpf_disk_operations_total') as ScalarFamily;
    const ofGroup = [...operations.series].filter(
      ({ labels }) =>
        labels.includes(`container="${cgroupId(group)}"`) && labels.includes(`"${device.name}"`),
    );
    assert.deepEqual(
      Object.fromEntries(
        ofGroup.map(({ labels, value }) => [/disk_io_direction="(\w+)"/.exec(labels)![1], value]),
      ),
      expected.operations,
    );
  });

  test('counts nothing of another pod, nor of the sidecar itself', async (t) => {
    const device = deviceFor(t);
    if (!device) return;
    const ofDevice = ({ all }: Samples) => all.filter(({ labels }) => labels.system_device === device.name);
    const before = ofDevice(await pod.scrape());
    await workOn(other.addContainer('web'), device);
    await workOn(pod.sidecar, device);
    const samples = await pod.scrape();
    assert.deepEqual(ofDevice(samples), before);
    assert.equal(
      samples.all.filter(({ name, value }) => name === 'bpf_sidecar_program_attached' && value === 1).length,
      2,
    );
  });

  test('counts what is charged to a container of the pod', async (t) => {
    const device = deviceFor(t);
    if (!device) return;
    const web = pod.addContainer('web');
    if (!existsSync(join(web.cgroup, 'io.stat'))) {
      await workOn(web, device);
      // What is charged to a cgroup of v1 is in no pod, for pods are in v2.
      const { all } = await pod.scrape();
      assert.deepEqual(
        all.filter((sample) => sample.labels.system_device === device.name),
        [],
      );
      return t.skip('block I/O is charged to cgroup v1 on this machine; nothing of it was given to the pod');
    }
    assert.equal(await workOn(web, device), 0);
    const samples = await pod.scrape();
    for (const [direction, operations] of Object.entries(expected.operations)) {
      const labels: Record<string, string> = {
        container: 'web',
        system_device: device.name,
        disk_io_direction: direction,
      };
      assert.equal(samples.value('bpf_disk_operations_total', labels), operations);
      assert.equal(samples.value('bpf_disk_operation_time_seconds_count', labels), operations);
      const bytes = expected.bytes[direction as keyof typeof expected.bytes];
      assert.equal(samples.value('bpf_disk_io_bytes_total', labels), bytes);
    }
    assert.equal(samples.value('bpf_disk_operations_uncounted_total'), 0);
  });
});
