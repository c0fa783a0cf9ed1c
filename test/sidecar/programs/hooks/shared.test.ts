import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compileProgram } from '../../../../scripts/bpf/compile-program.ts';
import type { Probe } from '../../../../sidecar/probe.ts';
import { shareHooks } from '../../../../sidecar/programs/hooks/shared.ts';
import { counting, eventsOf, startCompiled } from '../../../support/author.ts';
import { bpffsFor, pinned } from '../../../support/bpffs.ts';
import { eventually } from '../../../support/eventually.ts';
import { heldBy, remaining } from '../../../support/kernel.ts';
import { calls, type Member, memberOf, onSysEnter, start, stop } from '../../../support/members.ts';
import { compileNative } from '../../../support/native.ts';
import { output } from '../../../support/pod.ts';

const lane = 'tp_btf-sys_enter-task';

describe('sidecars of a node', () => {
  for (const count of [2, 10, 100])
    test(`${count} of them share one dispatcher on a hook, and each counts its own pod`, async (t) => {
      const bpffs = bpffsFor(t);
      const before = heldBy('self');
      const elf = await compileProgram(counting(onSysEnter('entered')));
      const qos = ['guaranteed', 'burstable', 'besteffort'] as const;
      const members: Member[] = [];
      for (let i = 0; i < count; i++) members.push(await memberOf(t, bpffs, { qos: qos[i % 3]! }));
      const probes: Probe[] = [];
      for (const member of members) probes.push(await start(t, member, elf));
      assert.deepEqual(readdirSync(join(bpffs, 'bpf-sidecar/v2', lane)), ['0'], 'one lane');

      const [first, last] = [members[0]!, members.at(-1)!];
      await output(first.web, ...calls(37));
      await output(last.web, ...calls(11));
      const others = new Array<number>(count - 2).fill(0);
      assert.deepEqual(probes.map(eventsOf), [37, ...others, 11]);

      await stop(first, probes[0]!);
      await output(first.web, ...calls(5));
      await output(last.web, ...calls(1));
      assert.equal(eventsOf(probes.at(-1)!), 12, 'the rest count on');
      for (const [i, member] of members.entries()) if (i > 0) await stop(member, probes[i]!);
      assert.deepEqual(pinned(bpffs), []);
      assert.deepEqual(heldBy('self'), before);
    });

  test('leave nothing in the kernel once the last one has left', async (t) => {
    const bpffs = bpffsFor(t);
    const member = await memberOf(t, bpffs);
    const elf = await compileProgram(counting(onSysEnter('entered')));
    const ids = await member.hooks.exclusively(() => {
      const probe = startCompiled(elf, member.pod, member.hooks);
      const held = heldBy('self');
      probe.close();
      return held;
    });
    assert.ok(ids.length > 0);
    await eventually(() => assert.deepEqual(remaining(ids), []));
    assert.deepEqual(pinned(bpffs), []);
  });

  test('add a lane for each further program that a pod has on a hook', async (t) => {
    const bpffs = bpffsFor(t);
    const [busy, plain] = [await memberOf(t, bpffs), await memberOf(t, bpffs)];
    const three = await compileProgram(counting(['one', 'two', 'three'].map(onSysEnter).join('\n')));
    const single = await compileProgram(counting(onSysEnter('entered')));
    const ofPlain = await start(t, plain, single);
    const ofBusy = await start(t, busy, three);
    const lanes = () => readdirSync(join(bpffs, 'bpf-sidecar/v2', lane)).sort();
    assert.deepEqual(lanes(), ['0', '1', '2']);
    await output(busy.web, ...calls(10));
    await output(plain.web, ...calls(7));
    assert.deepEqual([eventsOf(ofBusy), eventsOf(ofPlain)], [30, 7], 'every program sees every event');
    await stop(busy, ofBusy);
    assert.deepEqual(lanes(), ['0'], 'lanes go with the pod that needed them');
    await output(plain.web, ...calls(1));
    assert.equal(eventsOf(ofPlain), 8);
  });

  test('of different layouts work side by side', async (t) => {
    const bpffs = bpffsFor(t);
    const [before, now] = [await memberOf(t, bpffs), await memberOf(t, bpffs)];
    before.hooks = shareHooks(bpffs, before.pod, () => {}, 'v1');
    const elf = await compileProgram(counting(onSysEnter('entered')));
    const [ofBefore, ofNow] = [await start(t, before, elf), await start(t, now, elf)];
    assert.deepEqual(readdirSync(join(bpffs, 'bpf-sidecar')).sort(), ['v1', 'v2']);
    await output(before.web, ...calls(3));
    await output(now.web, ...calls(4));
    assert.deepEqual([eventsOf(ofBefore), eventsOf(ofNow)], [3, 4]);
    await stop(before, ofBefore);
    await output(now.web, ...calls(1));
    assert.equal(eventsOf(ofNow), 5);
    await stop(now, ofNow);
    assert.deepEqual(pinned(bpffs), []);
  });

  test('sweep what a pod that vanished has left behind, and keep what a living one has', async (t) => {
    const bpffs = bpffsFor(t);
    const [gone, living, next] = [
      await memberOf(t, bpffs),
      await memberOf(t, bpffs, { qos: 'guaranteed' }),
      await memberOf(t, bpffs),
    ];
    const elf = await compileProgram(counting(onSysEnter('entered')));
    await start(t, gone, await compileProgram(counting(['one', 'two'].map(onSysEnter).join('\n'))));
    const ofLiving = await start(t, living, elf);
    await gone.destroy();
    const ofNext = await start(t, next, elf);
    assert.deepEqual(readdirSync(join(bpffs, 'bpf-sidecar/v2', lane)), ['0']);
    await output(living.web, ...calls(3));
    await output(next.web, ...calls(4));
    assert.deepEqual([eventsOf(ofLiving), eventsOf(ofNext)], [3, 4]);
    await stop(living, ofLiving);
    await stop(next, ofNext);
    assert.deepEqual(pinned(bpffs), []);
  });

  test('replace what a sidecar of the same pod left when it died', async (t) => {
    const bpffs = bpffsFor(t);
    const member = await memberOf(t, bpffs);
    const elf = await compileProgram(counting(onSysEnter('entered')));
    const ofDead = await start(t, member, elf);
    const restarted = { ...member, hooks: shareHooks(bpffs, member.pod, () => {}) };
    const probe = await start(t, restarted, elf);
    await output(member.web, ...calls(6));
    assert.deepEqual([eventsOf(ofDead), eventsOf(probe)], [0, 6]);
    await stop(restarted, probe);
    assert.deepEqual(pinned(bpffs), []);
  });

  test('keep patterns apart that differ only in characters that no name may have', async (t) => {
    const bpffs = bpffsFor(t);
    const path = compileNative(t, 'calls.c');
    // 37 times place_order, and 5 times another one.
    const patterns = { 'place_*': 42, 'place_?????': 37 };
    const observed = [];
    for (const [pattern, expected] of Object.entries(patterns)) {
      const member = await memberOf(t, bpffs);
      const child = member.web.spawn([path], { stdio: ['pipe', 'pipe', 'inherit'] });
      t.after(() => child.kill());
      const order = async () => {
        child.stdin!.write('\n');
        await once(child.stdout!, 'data');
      };
      await order();
      const elf = await compileProgram(
        counting(`SEC("uprobe.multi/${path}:${pattern}") int f(void *ctx) { increment(); return 0; }`),
      );
      observed.push({ member, probe: await start(t, member, elf), order, expected });
    }
    for (const { order } of observed) await order();
    for (const { probe, expected } of observed) assert.equal(eventsOf(probe), expected);
    for (const { member, probe } of observed) await stop(member, probe);
    assert.deepEqual(pinned(bpffs), []);
  });

  test('have their own dispatchers where there is no bpffs', async (t) => {
    const member = await memberOf(t, '/nowhere');
    const probe = await start(t, member, await compileProgram(counting(onSysEnter('entered'))));
    await output(member.web, ...calls(9));
    assert.equal(eventsOf(probe), 9);
  });
});
