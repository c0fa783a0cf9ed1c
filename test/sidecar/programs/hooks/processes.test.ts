import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { compileProgram } from '../../../../scripts/bpf/compile-program.ts';
import { placeOf } from '../../../../scripts/node/place.ts';
import { type Container, createSandbox } from '../../../../scripts/node/sandbox.ts';
import type { PodCgroup } from '../../../../sidecar/pod/cgroups.ts';
import { shareHooks } from '../../../../sidecar/programs/hooks/shared.ts';
import { counting, eventsOf, startCompiled } from '../../../support/author.ts';
import { bpffsFor, pinned } from '../../../support/bpffs.ts';
import { formatPod } from '../../../support/place.ts';
import { output } from '../../../support/pod.ts';

const marker = '/the-sharing-begins';
const script = join(import.meta.dirname, '../../../support/sharing-process.ts');
const program = counting(`
SEC("tp_btf/sys_enter") int entered(__u64 *ctx) { if (ctx[1] == __NR_getpriority) increment(); return 0; }`);
const calls = (times: number) => [
  'python3',
  '-c',
  `import os\nfor _ in range(${times}): os.getpriority(0, 0)`,
];

interface Process {
  child: ChildProcess;
  lines: Interface;
}

async function objectFor(t: TestContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-object-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const object = join(directory, 'program.bpf.o');
  writeFileSync(object, await compileProgram(program));
  return object;
}

async function podOf(t: TestContext): Promise<{ place: PodCgroup; web: Container }> {
  const sandbox = await createSandbox();
  t.after(() => sandbox.destroy());
  return { place: placeOf(sandbox, sandbox.addContainer('bpf-sidecar')), web: sandbox.addContainer('web') };
}

const sharing = (object: string, bpffs: string, pod: PodCgroup) => [
  process.execPath,
  script,
  object,
  bpffs,
  formatPod(pod),
  marker,
];

test('sidecars that start and leave at the same instant do not get into each other’s way', async (t) => {
  const bpffs = bpffsFor(t);
  const object = await objectFor(t);
  const pods = await Promise.all(Array.from({ length: 8 }, () => podOf(t)));
  const started = pods.map(({ place }): Process => {
    const [command, ...args] = sharing(object, bpffs, place);
    const child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    return { child, lines: createInterface({ input: child.stdout }) };
  });
  for (const [said] of await Promise.all(started.map(({ lines }) => once(lines, 'line'))))
    assert.equal(said, 'attached');
  assert.equal(pinned(bpffs).filter((path) => path.endsWith('/link')).length, 1);

  for (const [i, { web }] of pods.entries()) await output(web, ...calls(i));
  for (const [i, { child, lines }] of started.entries()) {
    child.stdin!.write('\n');
    assert.deepEqual(await once(lines, 'line'), [String(i)]);
  }
  const ended = Promise.all(started.map(({ child }) => once(child, 'exit')));
  for (const { child } of started) child.stdin!.end();
  for (const end of await ended) assert.deepEqual(end, [0, null]);
  assert.deepEqual(pinned(bpffs), []);
});

/** The system calls by which dispatchers are made, shared, and removed. */
const steps = ['bpf', 'mkdir', 'rename', 'unlink', 'rmdir', 'flock'];

test('a sidecar that is killed at any step leaves nothing that the next one does not mend', async (t) => {
  if (spawnSync('strace', ['-e', 'inject=flock:signal=KILL:when=1', 'true']).status !== 0)
    return t.skip('strace cannot inject faults on this machine');
  const bpffs = bpffsFor(t);
  const object = await objectFor(t);
  const { place, web } = await podOf(t);
  const bystander = await podOf(t);
  const elf = readFileSync(object);
  const hooksOfBystander = shareHooks(bpffs, bystander.place, () => {});
  const trace = `${object}.trace`;
  const run = (...options: string[]) =>
    spawnSync(
      'strace',
      ['-f', '-o', trace, '-e', `trace=${steps},access`, ...options, ...sharing(object, bpffs, place)],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );

  const whole = run();
  assert.equal(whole.status, 0, String(whole.stderr));
  const lines = readFileSync(trace, 'utf8').split('\n');
  const begin = lines.findIndex((line) => line.includes(marker));
  assert.ok(begin > 0);
  const countOf = (step: string, among: string[]) =>
    among.filter((line) => new RegExp(`^\\d+ +${step}\\(`).test(line)).length;

  let kills = 0;
  for (const step of steps) {
    const before = countOf(step, lines.slice(0, begin));
    const total = countOf(step, lines);
    for (let when = before + 1; when <= total; when++) {
      const killed = run('-e', `inject=${step}:signal=KILL:when=${when}`);
      assert.equal(killed.signal, 'SIGKILL', `${step} ${when}: ${killed.stderr}`);
      kills++;

      // Another pod's sidecar, which knows nothing of it, comes and counts; then the same pod's comes back.
      const others = await hooksOfBystander.exclusively(() =>
        startCompiled(elf, bystander.place, hooksOfBystander),
      );
      const hooks = shareHooks(bpffs, place, () => {});
      const probe = await hooks.exclusively(() => startCompiled(elf, place, hooks));
      const problems = [...others.programs, ...probe.programs].flatMap(({ problem }) => problem ?? []);
      assert.deepEqual(problems, [], `${step} ${when}`);
      if (kills % 8 === 0) {
        await output(web, ...calls(3));
        await output(bystander.web, ...calls(4));
        assert.deepEqual([eventsOf(probe), eventsOf(others)], [3, 4], `${step} ${when}`);
      }
      await hooksOfBystander.exclusively(() => others.close());
      await hooks.exclusively(() => probe.close());
      assert.deepEqual(pinned(bpffs), [], `${step} ${when}`);
    }
  }
  t.diagnostic(`killed at ${kills} steps`);
  assert.ok(kills > 30);
});
