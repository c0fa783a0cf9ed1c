import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { compileProgram } from '../../../../scripts/bpf/compile-program.ts';
import type { PodCgroup } from '../../../../sidecar/pod/cgroups.ts';
import type { Probe } from '../../../../sidecar/probe.ts';
import { shareHooks } from '../../../../sidecar/programs/hooks/shared.ts';
import { counting, eventsOf, startCompiled } from '../../../support/author.ts';
import { barePodFor } from '../../../support/bare-pod.ts';
import { bpffsFor, pinned } from '../../../support/bpffs.ts';
import { calls, onSysEnter } from '../../../support/members.ts';
import { buildOtherVersion } from '../../../support/other-version.ts';
import { formatPod } from '../../../support/place.ts';
import { output } from '../../../support/pod.ts';

const marker = '/the-sharing-begins';
const script = join(import.meta.dirname, '../../../support/sharing-process.ts');

interface Process {
  child: ChildProcess;
  lines: Interface;
}

async function objectFor(t: TestContext, programs = onSysEnter('entered')): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-object-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const object = join(directory, 'program.bpf.o');
  writeFileSync(object, await compileProgram(counting(programs)));
  return object;
}

const sharing = (object: string, bpffs: string, pod: PodCgroup, version = script) => [
  process.execPath,
  version,
  object,
  bpffs,
  formatPod(pod),
  marker,
];

function startSharing(...args: Parameters<typeof sharing>): Process {
  const [command, ...rest] = sharing(...args);
  const child = spawn(command!, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, lines: createInterface({ input: child.stdout }) };
}

async function countOf({ child, lines }: Process): Promise<number> {
  child.stdin!.write('\n');
  const [count] = await once(lines, 'line');
  return Number(count);
}

async function end({ child }: Process): Promise<void> {
  child.stdin!.end();
  assert.deepEqual(await once(child, 'exit'), [0, null]);
}

test('sidecars that start and leave at the same instant do not get into each other’s way', async (t) => {
  const bpffs = bpffsFor(t);
  const object = await objectFor(t);
  const pods = await Promise.all(Array.from({ length: 8 }, () => barePodFor(t)));
  const started = pods.map(({ pod }) => startSharing(object, bpffs, pod));
  for (const [said] of await Promise.all(started.map(({ lines }) => once(lines, 'line'))))
    assert.equal(said, 'attached');
  assert.equal(pinned(bpffs).filter((path) => path.endsWith('/link')).length, 1);

  for (const [i, { web }] of pods.entries()) await output(web, ...calls(i));
  for (const [i, sidecar] of started.entries()) assert.equal(await countOf(sidecar), i);
  await Promise.all(started.map(end));
  assert.deepEqual(pinned(bpffs), []);
});

test('two versions whose dispatchers differ work side by side, and each counts its own pods', async (t) => {
  const bpffs = bpffsFor(t);
  const object = await objectFor(t);
  const versions = [script, await buildOtherVersion(t, script)];
  const pods = await Promise.all(Array.from({ length: 4 }, () => barePodFor(t)));
  const started: Process[] = [];
  for (const [i, { pod }] of pods.entries()) {
    const sidecar = startSharing(object, bpffs, pod, versions[i % 2]!);
    assert.deepEqual(await once(sidecar.lines, 'line'), ['attached']);
    started.push(sidecar);
  }
  assert.deepEqual(
    pinned(bpffs).filter((path) => path.endsWith('/link')),
    ['v2', 'v3'].map((version) => `bpf-sidecar/${version}/tp_btf-sys_enter-task/0/link`),
  );
  for (const [i, { web }] of pods.entries()) await output(web, ...calls(i + 1));
  assert.deepEqual(await Promise.all(started.map(countOf)), [1, 2, 3, 4]);
  // One of each leaves, and the others count on.
  for (const sidecar of started.splice(0, 2)) await end(sidecar);
  for (const { web } of pods) await output(web, ...calls(10));
  assert.deepEqual(await Promise.all(started.map(countOf)), [13, 14]);
  for (const sidecar of started) await end(sidecar);
  assert.deepEqual(pinned(bpffs), []);
});

/** The system calls by which dispatchers are made, shared, and removed. */
const steps = ['bpf', 'mkdir', 'rename', 'unlink', 'rmdir', 'flock'];

interface Kill {
  /** `unlink 3`, the system call at which the sidecar is to die. */
  step: string;
  /** Runs it until then. */
  run(): Promise<void>;
}

/** A sidecar that shares and leaves, once for each of its system calls at which it can be killed. */
async function killsOf(t: TestContext, object: string, bpffs: string, pod: PodCgroup): Promise<Kill[]> {
  const trace = `${object}.trace`;
  const run = async (...options: string[]) => {
    const child = spawn(
      'strace',
      ['-f', '-o', trace, '-e', `trace=${steps},access`, ...options, ...sharing(object, bpffs, pod)],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const [said, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    return { code, signal, said };
  };
  const whole = await run();
  assert.equal(whole.code, 0, whole.said);
  const lines = readFileSync(trace, 'utf8').split('\n');
  const begin = lines.findIndex((line) => line.includes(marker));
  assert.ok(begin > 0);
  const timesOf = (step: string, among: string[]) =>
    among.filter((line) => new RegExp(`^\\d+ +${step}\\(`).test(line)).length;
  const kills = steps.flatMap((step) => {
    const before = timesOf(step, lines.slice(0, begin));
    const total = timesOf(step, lines);
    return Array.from({ length: total - before }, (_, i) => ({
      step: `${step} ${i + 1}`,
      async run() {
        const { signal, said } = await run('-e', `inject=${step}:signal=KILL:when=${before + i + 1}`);
        assert.equal(signal, 'SIGKILL', `${step} ${i + 1}: ${said}`);
      },
    }));
  });
  t.diagnostic(`killed at ${kills.length} steps`);
  assert.ok(kills.length > 30);
  return kills;
}

const cannotInject =
  spawnSync('strace', ['-e', 'inject=flock:signal=KILL:when=1', 'true']).status !== 0 &&
  'strace cannot inject faults on this machine';

const problemsOf = (...probes: Probe[]) =>
  probes.flatMap(({ programs }) => programs.flatMap(({ problem }) => problem ?? []));

test('a sidecar that is killed at any step leaves nothing that the next one does not mend', {
  skip: cannotInject,
}, async (t) => {
  const bpffs = bpffsFor(t);
  const object = await objectFor(t);
  const { pod, web } = await barePodFor(t);
  const bystander = await barePodFor(t);
  const elf = readFileSync(object);
  const hooksOfBystander = shareHooks(bpffs, bystander.pod, () => {});
  for (const [index, { step, run }] of (await killsOf(t, object, bpffs, pod)).entries()) {
    await run();
    // Another pod's sidecar, which knows nothing of it, comes and counts; then the same pod's comes back.
    const others = await hooksOfBystander.exclusively(() =>
      startCompiled(elf, bystander.pod, hooksOfBystander),
    );
    const hooks = shareHooks(bpffs, pod, () => {});
    const probe = await hooks.exclusively(() => startCompiled(elf, pod, hooks));
    assert.deepEqual(problemsOf(others, probe), [], step);
    if (index % 8 === 0) {
      await output(web, ...calls(3));
      await output(bystander.web, ...calls(4));
      assert.deepEqual([eventsOf(probe), eventsOf(others)], [3, 4], step);
    }
    await hooksOfBystander.exclusively(() => others.close());
    await hooks.exclusively(() => probe.close());
    assert.deepEqual(pinned(bpffs), [], step);
  }
});

/** Calls, with pauses, from one byte that it reads to the next, and says how often. */
const caller = `
import os, select, time
while os.read(0, 1):
    times = 0
    while not select.select([0], [], [], 0)[0]:
        os.getpriority(0, 0)
        times += 1
        time.sleep(0.0005)
    os.read(0, 1)
    print(times, flush=True)
`;

test('a pod counts exactly while a sidecar beside it, with one program on its dispatcher and one on another, is killed at any step', {
  skip: cannotInject,
}, async (t) => {
  const bpffs = bpffsFor(t);
  const object = await objectFor(t, [...'ab'].map(onSysEnter).join('\n'));
  const { pod, web } = await barePodFor(t);
  const living = await barePodFor(t);
  const hooks = shareHooks(bpffs, living.pod, () => {});
  const elf = await compileProgram(counting(onSysEnter('entered')));
  const ofLiving = await hooks.exclusively(() => startCompiled(elf, living.pod, hooks));
  const child = living.web.spawn(['python3', '-c', caller], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout! });

  let expected = 0;
  for (const { step, run } of await killsOf(t, object, bpffs, pod)) {
    child.stdin!.write('x');
    await run();
    child.stdin!.write('x');
    const [times] = await once(lines, 'line');
    assert.ok(Number(times) > 0, step);
    expected += Number(times);
    assert.equal(eventsOf(ofLiving), expected, step);
  }
  const returned = shareHooks(bpffs, pod, () => {});
  const probe = await returned.exclusively(() => startCompiled(readFileSync(object), pod, returned));
  assert.deepEqual(problemsOf(probe), []);
  await output(web, ...calls(3));
  assert.deepEqual([eventsOf(probe), eventsOf(ofLiving)], [6, expected]);
  await returned.exclusively(() => probe.close());
  await hooks.exclusively(() => ofLiving.close());
  assert.deepEqual(pinned(bpffs), []);
});
