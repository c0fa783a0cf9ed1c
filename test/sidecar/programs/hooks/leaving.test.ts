import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compileProgram } from '../../../../scripts/bpf/compile-program.ts';
import { closeObject, loadObject, openObject, programFd } from '../../../../sidecar/libbpf/object.ts';
import { attachProgram } from '../../../../sidecar/programs/attach.ts';
import type { Hooks } from '../../../../sidecar/programs/hooks/hooks.ts';
import { readEntries } from '../../../../sidecar/programs/hooks/lane.ts';
import { withMaps } from '../../../../sidecar/programs/hooks/pins.ts';
import { counting, eventsOf } from '../../../support/author.ts';
import { bpffsFor, pinned } from '../../../support/bpffs.ts';
import { heldBy } from '../../../support/kernel.ts';
import { calls, type Member, memberOf, onSysEnter, start, stop } from '../../../support/members.ts';
import { output } from '../../../support/pod.ts';

const single = await compileProgram(counting(onSysEnter('entered')));

const podsIn = (bpffs: string) =>
  withMaps(join(bpffs, 'bpf-sidecar/v2/tp_btf-sys_enter-task/0'), readEntries).map(({ id }) => id);

describe('what a pod that vanished has left', () => {
  test('goes with the last sidecar that leaves', async (t) => {
    const bpffs = bpffsFor(t);
    const before = heldBy('self');
    const [gone, last] = [await memberOf(t, bpffs), await memberOf(t, bpffs)];
    const ofLast = await start(t, last, single);
    // On a hook, too, where nobody else is.
    const elsewhere = await compileProgram(
      counting('SEC("raw_tp/sys_enter") int f(void *ctx) { increment(); return 0; }'),
    );
    for (const elf of [single, elsewhere]) (await start(t, gone, elf)).close();
    await gone.destroy();
    await stop(last, ofLast);
    assert.deepEqual(pinned(bpffs), []);
    assert.deepEqual(heldBy('self'), before);
  });

  test('goes when a neighbour changes what it runs', async (t) => {
    const bpffs = bpffsFor(t);
    const [gone, neighbour] = [await memberOf(t, bpffs), await memberOf(t, bpffs)];
    const probe = await start(t, neighbour, single);
    (await start(t, gone, single)).close();
    assert.equal(podsIn(bpffs).length, 2);
    await gone.destroy();
    await stop(neighbour, await start(t, neighbour, single));
    assert.deepEqual(podsIn(bpffs), [neighbour.pod.id]);
    await output(neighbour.web, ...calls(3));
    assert.equal(eventsOf(probe), 3);
    await stop(neighbour, probe);
  });
});

test('a program that the kernel lets no dispatcher call leaves nothing, also beside others', async (t) => {
  const bpffs = bpffsFor(t);
  const [refused, neighbour] = [await memberOf(t, bpffs), await memberOf(t, bpffs)];
  const object = openObject(
    'two',
    await compileProgram(
      counting(`${onSysEnter('typed')}
SEC("raw_tp/sys_enter") int untyped(void *ctx) { increment(); return 0; }`),
    ),
  );
  loadObject(object);
  t.after(() => closeObject(object));
  const [typed, untyped] = object.programs;
  // A program of another type stands for those that are refused by EINVAL for other reasons.
  const hooks: Hooks = {
    ...refused.hooks,
    share: (hook, dispatcher, pod) => refused.hooks.share(hook, dispatcher, pod, programFd(untyped!)),
  };
  const attach = () =>
    hooks.exclusively(() =>
      assert.throws(() => attachProgram(typed!, refused.pod, hooks), { name: 'Error', message: /EINVAL/ }),
    );
  await attach();
  assert.deepEqual(pinned(bpffs), []);

  const probe = await start(t, neighbour, single);
  await attach();
  assert.deepEqual(podsIn(bpffs), [neighbour.pod.id]);
  await output(neighbour.web, ...calls(3));
  assert.equal(eventsOf(probe), 3);
  await stop(neighbour, probe);
  assert.deepEqual(pinned(bpffs), []);
});

describe('a sidecar', () => {
  const two = async (member: Member, t: Parameters<typeof start>[0]) => [
    await start(t, member, single),
    await start(t, member, single),
  ];

  test('that could not leave a dispatcher in time does so at its next change, and counts on', async (t) => {
    const bpffs = bpffsFor(t);
    const member = await memberOf(t, bpffs);
    const [first, second] = await two(member, t);
    // Without the lock.
    first!.close();
    assert.equal(podsIn(bpffs).length, 1, 'its place is still taken');
    const third = await start(t, member, single);
    await output(member.web, ...calls(3));
    assert.deepEqual(
      [second, third].map((probe) => eventsOf(probe!)),
      [3, 3],
    );
    await stop(member, second!);
    await stop(member, third);
    assert.deepEqual(pinned(bpffs), []);
  });

  test('does not leave the dispatcher that has taken the path of one whose pins somebody removed', async (t) => {
    const bpffs = bpffsFor(t);
    const member = await memberOf(t, bpffs);
    const first = await start(t, member, single);
    rmSync(join(bpffs, 'bpf-sidecar'), { recursive: true });
    const second = await start(t, member, single);
    await output(member.web, ...calls(3));
    assert.deepEqual([eventsOf(first), eventsOf(second)], [3, 3]);
    await stop(member, first);
    await output(member.web, ...calls(2));
    assert.equal(eventsOf(second), 5);
    await stop(member, second);
    assert.deepEqual(pinned(bpffs), []);
  });
});
