import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { compileProgram } from '../../../../scripts/bpf/compile-program.ts';
import { lockDirectory } from '../../../../sidecar/programs/hooks/lock.ts';
import { counting, eventsOf } from '../../../support/author.ts';
import { bpffsFor, pinned } from '../../../support/bpffs.ts';
import { calls, memberOf, onSysEnter, start, stop } from '../../../support/members.ts';
import { output } from '../../../support/pod.ts';

const single = await compileProgram(counting(onSysEnter('entered')));
const goingOn = 'dispatchers cannot be shared with other sidecars: going on without';
const lane = 'bpf-sidecar/v2/tp_btf-sys_enter-task/0';

describe('each sidecar counts its own pod', () => {
  test('when the bpffs cannot be written, from the start or later', async (t) => {
    const bpffs = bpffsFor(t);
    const mount = (mode: string) => execFileSync('mount', ['-o', `remount,${mode}`, bpffs]);
    const early = await memberOf(t, bpffs);
    const shared = await start(t, early, single);
    mount('ro');
    const late = await memberOf(t, bpffs);
    const [ofEarly, ofLate] = [await start(t, early, single), await start(t, late, single)];
    assert.deepEqual(early.warnings, [goingOn]);
    await output(early.web, ...calls(3));
    await output(late.web, ...calls(4));
    assert.deepEqual([shared, ofEarly, ofLate].map(eventsOf), [3, 3, 4]);
    await stop(early, shared);
    await output(early.web, ...calls(1));
    assert.equal(eventsOf(ofEarly), 4);
    mount('rw');
    await stop(late, ofLate);
    await stop(early, ofEarly);
    assert.deepEqual(pinned(bpffs), [], 'what could not be removed goes once it can be');
  });

  test('when the bpffs is unmounted, and another one mounted', async (t) => {
    const bpffs = bpffsFor(t);
    const [first, second] = [await memberOf(t, bpffs), await memberOf(t, bpffs)];
    const [ofFirst, ofSecond] = [await start(t, first, single), await start(t, second, single)];
    execFileSync('umount', [bpffs]);
    const unshared = await start(t, first, single);
    assert.deepEqual(first.warnings, [goingOn]);
    execFileSync('mount', ['-t', 'bpf', 'bpf', bpffs]);
    const again = await start(t, second, single);
    assert.ok(existsSync(join(bpffs, lane)));
    await output(first.web, ...calls(3));
    await output(second.web, ...calls(4));
    assert.deepEqual([ofFirst, unshared, ofSecond, again].map(eventsOf), [3, 3, 4, 4]);
    await stop(second, ofSecond);
    await output(first.web, ...calls(1));
    await output(second.web, ...calls(1));
    assert.deepEqual([ofFirst, unshared, again].map(eventsOf), [4, 4, 5]);
    await stop(second, again);
    for (const probe of [ofFirst, unshared]) await stop(first, probe);
    assert.deepEqual(pinned(bpffs), []);
  });

  const pins = ['pods', 'programs', 'variables', 'program', 'link'].map((pin) => join(lane, pin));
  for (const path of ['bpf-sidecar', ...pins])
    test(`when somebody has removed ${path}`, async (t) => {
      const bpffs = bpffsFor(t);
      const [running, next] = [await memberOf(t, bpffs), await memberOf(t, bpffs)];
      const ofRunning = await start(t, running, single);
      rmSync(join(bpffs, path), { recursive: true });
      const ofNext = await start(t, next, single);
      await output(running.web, ...calls(3));
      await output(next.web, ...calls(4));
      assert.deepEqual([eventsOf(ofRunning), eventsOf(ofNext)], [3, 4]);
      await stop(running, ofRunning);
      await stop(next, ofNext);
      assert.deepEqual(pinned(bpffs), []);
    });
});

test('unlocking removes no directory that another has locked since, when somebody removed the first', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'bpf-sidecar-lock-'));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  const path = join(parent, 'v2');
  mkdirSync(join(parent, 'other'));
  const first = await lockDirectory(path);
  rmSync(path, { recursive: true });
  const second = await lockDirectory(path);
  first!();
  assert.ok(existsSync(path));
  second!();
  assert.ok(!existsSync(path));
});

test('a lock whose holder is killed goes to the one that waits for it', async (t) => {
  const bpffs = bpffsFor(t);
  const path = join(bpffs, 'bpf-sidecar/v2');
  mkdirSync(path, { recursive: true });
  const holder = spawn('flock', ['--no-fork', path, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  let isMine = false;
  const waiting = lockDirectory(path).then((unlock) => {
    isMine = true;
    return unlock;
  });
  await setImmediate();
  assert.ok(!isMine, 'it waits');
  holder.kill('SIGKILL');
  const unlock = await waiting;
  unlock!();
  assert.deepEqual(pinned(bpffs), []);
});
