import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Container } from '../../scripts/node/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { compileNative } from '../support/native.ts';
import { type ObservedPod, output, podFor, startObservedPod } from '../support/pod.ts';
import { type DecodedFrame, type DecodedProfile, decodeProfile } from '../support/profile.ts';

const route = '/debug/pprof/profile';
const frequency = 99;

/** Spins in containers until the test ends; with a frame pointer and a build id. */
async function spinIn(t: TestContext, ...containers: Container[]): Promise<string> {
  const path = compileNative(t, 'spin.c', '-fno-omit-frame-pointer', '-Wl,--build-id');
  await Promise.all(containers.map((container) => runIn(t, container, path)));
  return path;
}

/** Resolves when the command has taken the place of what starts it in the container. */
async function runIn(t: TestContext, container: Container, ...argv: string[]): Promise<void> {
  const child = container.spawn(argv, { stdio: 'ignore' });
  t.after(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const command = basename(argv[0]!);
  await eventually(() => assert.ok(commandsIn(container).includes(command)));
}

function commandsIn({ cgroup }: Container): string[] {
  const processes = readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  return processes.map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
}

async function fetchProfile(pod: ObservedPod, seconds: number): Promise<Buffer> {
  const response = await fetch(pod.url(`${route}?seconds=${seconds}`), {
    signal: AbortSignal.timeout(30_000),
  });
  const body = Buffer.from(await response.arrayBuffer());
  assert.equal(response.status, 200, body.toString());
  assert.equal(response.headers.get('content-type'), 'application/octet-stream');
  return body;
}

const samplesIn = ({ samples }: DecodedProfile) => samples.reduce((sum, { values }) => sum + values[0]!, 0);

/** Seconds of CPU time that a container has had, as the kernel counts it. */
function cpuSeconds({ cgroup }: Container): number {
  return Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(cgroup, 'cpu.stat'), 'utf8'))![1]) / 1e6;
}

/** Where in its file a frame is. */
function offsetOf({ address, mapping }: DecodedFrame): number {
  return Number(BigInt(address) - BigInt(mapping!.start) + BigInt(mapping!.offset));
}

function buildIdOf(path: string): string {
  return /Build ID: ([0-9a-f]+)/.exec(execFileSync('readelf', ['-n', path], { encoding: 'utf8' }))![1]!;
}

/** Where a function is in the file of an executable. */
function placeOf(path: string, name: string): { from: number; to: number } {
  const symbols = execFileSync('readelf', ['-sW', path], { encoding: 'utf8' });
  const [, value, size] = new RegExp(`: ([0-9a-f]+) +(\\d+) FUNC .* ${name}$`, 'm').exec(symbols)!;
  const headers = execFileSync('readelf', ['-lW', path], { encoding: 'utf8' });
  const address = Number.parseInt(value!, 16);
  for (const [, offset, virtual, bytes] of headers.matchAll(
    /^ +LOAD +(0x[0-9a-f]+) (0x[0-9a-f]+) 0x[0-9a-f]+ (0x[0-9a-f]+)/gm,
  )) {
    const from = address - Number(virtual) + Number(offset);
    if (address >= Number(virtual) && address < Number(virtual) + Number(bytes))
      return { from, to: from + Number(size) };
  }
  throw new Error(`${name} is in no segment`);
}

describe('the profile probe', () => {
  let pod: ObservedPod;
  let web: Container;
  before(async () => {
    pod = await startObservedPod({ probes: 'profile' });
    web = pod.addContainer('web');
  });
  after(() => pod.stop());

  const counted = async () => (await pod.scrape()).sum('bpf_profile_samples_total');

  test('has as many samples as the CPU time that a container had, and none of others', async (t) => {
    const other = await podFor(t, { probes: 'syscalls', pod: 'other' });
    const path = await spinIn(t, web, other.addContainer('web'), pod.sidecar);
    const countedBefore = await counted();
    const began = performance.now();
    const used = cpuSeconds(web);
    const compressed = await fetchProfile(pod, 3);
    const mostUsed = cpuSeconds(web) - used;
    const waited = (performance.now() - began) / 1000;
    const profile = decodeProfile(compressed);

    assert.deepEqual(profile.sampleTypes, ['samples/count', 'cpu/nanoseconds']);
    assert.deepEqual([profile.defaultSampleType, profile.periodType], ['cpu', 'cpu/nanoseconds']);
    assert.deepEqual([profile.comments, profile.unknownFields], [[], 0]);
    assert.equal(profile.period, Math.floor(1e9 / frequency));
    const lasted = profile.durationNanos / 1e9;
    assert.ok(lasted >= 2.99 && lasted <= waited, `${lasted} of ${waited} s`);

    // One task: before and after the recording it cannot have used more than the time that this took.
    const leastUsed = mostUsed - (waited - lasted);
    const number = samplesIn(profile);
    // A clock for each CPU, of which a part of a period is left; and the kernel may be late with what a task has used. That
    // the machine itself stands still for others is nowhere counted.
    const slack = cpus().length + 2;
    assert.ok(
      number >= 0.9 * leastUsed * frequency - slack && number <= 1.1 * mostUsed * frequency + slack,
      `${number} samples of ${leastUsed} to ${mostUsed} s`,
    );
    for (const { labels, values } of profile.samples) {
      assert.deepEqual(labels, { container: 'web', command: 'spin' });
      assert.equal(values[1], values[0]! * profile.period);
    }
    assert.equal((await counted()) - countedBefore, number);

    const { from, to } = placeOf(path, 'turn');
    const turning = profile.samples.filter(({ frames }) =>
      frames.some(
        (frame) =>
          frame.mapping?.buildId === buildIdOf(path) && offsetOf(frame) >= from && offsetOf(frame) < to,
      ),
    );
    const inFunction = samplesIn({ ...profile, samples: turning });
    assert.ok(inFunction > 0.9 * number, `${inFunction} of ${number} are in the function`);
  });

  test("names the kernel's functions, and tells none of their addresses", async (t) => {
    await runIn(t, web, 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64k');
    const profile = decodeProfile(await fetchProfile(pod, 1));
    const inKernel = profile.samples.flatMap(({ frames }) =>
      frames.filter(({ mapping }) => mapping?.file === '[kernel.kallsyms]'),
    );
    const functions = new Set(inKernel.flatMap((frame) => frame.functions));
    assert.ok(functions.has('read_zero') && functions.has('ksys_read'), [...functions].join());
    assert.deepEqual(
      inKernel.filter(({ address }) => address !== '0x0'),
      [],
    );
    assert.ok(profile.samples.every(({ labels }) => labels.command === 'dd'));
  });

  test('takes no samples while nobody asks', async () => {
    const before = await counted();
    await output(web, 'python3', '-c', 'import time\nwhile time.process_time() < 0.3: pass');
    assert.equal(await counted(), before);
    const profile = decodeProfile(await fetchProfile(pod, 1));
    assert.equal(samplesIn(profile), 0);
    assert.deepEqual(profile.samples, []);
  });

  test('is read by go tool pprof', async (t) => {
    if (spawnSync('go', ['version']).status !== 0) return t.skip('needs Go, which is not installed');
    await spinIn(t, web);
    const compressed = await fetchProfile(pod, 1);
    const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'profile.pb.gz');
    writeFileSync(file, compressed);
    const { stdout, stderr } = spawnSync('go', ['tool', 'pprof', '-raw', file], { encoding: 'utf8' });
    assert.match(stdout, /^samples\/count cpu\/nanoseconds\[dflt\]$/m, stderr);
    const counts = [...stdout.matchAll(/^ +(\d+) +\d+: /gm)].map(([, count]) => Number(count));
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      samplesIn(decodeProfile(compressed)),
    );
  });

  for (const seconds of ['0', '61', '1.5', '-1', '', 'ten'])
    test(`refuses "${seconds}" seconds`, async () => {
      const { status, text } = await request(pod.url(`${route}?seconds=${seconds}`));
      assert.deepEqual([status, text], [400, 'seconds must be a whole number from 1 to 60\n']);
    });

  test('takes one profile at a time, and ends it when whoever asked has gone', async () => {
    const leaving = new AbortController();
    const first = fetch(pod.url(`${route}?seconds=60`), { signal: leaving.signal });
    await eventually(async () => {
      const { status, text } = await request(pod.url(`${route}?seconds=1`));
      assert.deepEqual([status, text], [409, 'a profile is being taken; ask again when it is done\n']);
    });
    leaving.abort();
    await assert.rejects(first, { name: 'AbortError' });
    await eventually(() => fetchProfile(pod, 1));
  });

  test('is not there without the probe, and ends when that is switched off', async (t) => {
    const changing = await podFor(t, { probes: 'profile' });
    const running = request(changing.url(`${route}?seconds=60`), { signal: AbortSignal.timeout(30_000) });
    await eventually(async () => {
      assert.equal((await request(changing.url(`${route}?seconds=1`))).status, 409);
    });
    changing.running.updateAnnotations({ 'bpf.sh/inject': 'true', 'bpf.sh/probes': 'syscalls' });
    const { status, text } = await running;
    assert.deepEqual(
      [status, text],
      [503, 'the probe profile was switched off before the profile was complete\n'],
    );
    const without = await request(changing.url(route));
    assert.deepEqual(
      [without.status, without.text],
      [404, "the probe profile is not switched on: add profile to the pod's annotation bpf.sh/probes\n"],
    );
  });

  test('is compressed once, also for who accepts compressed answers', async () => {
    const compressed = await fetchProfile(pod, 1);
    assert.equal(gunzipSync(compressed).readUInt8(0), 0x0a);
  });

  test('lost nothing in silence', async () => {
    assert.equal((await pod.scrape()).value('bpf_profile_samples_uncounted_total'), 0);
  });
});
