import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { compileProgram } from '../../../../scripts/bpf/compile-program.ts';
import { placeOf } from '../../../../scripts/node/place.ts';
import { type Container, createSandbox } from '../../../../scripts/node/sandbox.ts';
import { shareHooks } from '../../../../sidecar/programs/hooks/shared.ts';
import { startCompiled } from '../../../support/author.ts';
import { bpffsFor } from '../../../support/bpffs.ts';
import { exactInSomeRound } from '../../../support/rounds.ts';

/** Counts the switches away from the task and those to it. */
const program = (pid: number) => `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct task_struct { int pid; } __attribute__((preserve_access_index));
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, __u64); }
    switches_total SEC(".maps");
static void count(__u32 key) {
    __u64 *value = bpf_map_lookup_elem(&switches_total, &key);
    if (value)
        __sync_fetch_and_add(value, 1);
}
SEC("tp_btf/sched_switch") int switched(__u64 *ctx) {
    if (((struct task_struct *)ctx[1])->pid == ${pid}) count(0);
    if (((struct task_struct *)ctx[2])->pid == ${pid}) count(1);
    return 0;
}`;
const spec = `
metrics:
  counters:
    - name: switches_total
      labels: [{ name: direction, size: 4, decoders: [{ name: uint }] }]
`;

/** Gives back each byte that it gets. */
const echoing = `
import os, sys
os.sched_setaffinity(0, {0})
while True:
    byte = os.read(0, 1)
    if not byte: break
    os.write(1, byte)
`;

/** Involuntary and voluntary switches away from a process, as the kernel counts them. */
function switchesOf(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return [...status.matchAll(/^(?:non)?voluntary_ctxt_switches:\t(\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

function startIn(t: TestContext, container: Container): ChildProcess {
  const child = container.spawn(['python3', '-uc', echoing], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  return child;
}

test('a switch between two tasks comes once to each pod that it concerns', async (t) => {
  const bpffs = bpffsFor(t);
  const makePod = async () => {
    const sandbox = await createSandbox();
    t.after(() => sandbox.destroy());
    const place = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
    return { place, hooks: shareHooks(bpffs, place, () => {}), web: sandbox.addContainer('web') };
  };
  const [first, second] = [await makePod(), await makePod()];
  // Two of one pod and one of another, awake together on one CPU: they switch among themselves.
  const children = [startIn(t, first.web), startIn(t, first.web), startIn(t, second.web)];
  const echo = async () => {
    for (const child of children) child.stdin!.write('x');
    await Promise.all(children.map((child) => once(child.stdout!, 'data')));
  };
  await echo();

  const observe = async ({ place, hooks }: typeof first, child: ChildProcess) => {
    const elf = await compileProgram(program(child.pid!));
    const probe = await hooks.exclusively(() => startCompiled(elf, place, hooks, spec));
    t.after(() => hooks.exclusively(() => probe.close()));
    assert.deepEqual(
      probe.programs.flatMap(({ problem }) => problem ?? []),
      [],
    );
    return () => {
      const [family] = probe.read();
      const series = [...family!.series] as { labels: string; value: number }[];
      return series.map(({ value }) => value);
    };
  };
  const reads = [
    await observe(first, children[0]!),
    await observe(first, children[1]!),
    await observe(second, children[2]!),
  ];
  await exactInSomeRound(async () => {
    const start = children.map(switchesOf);
    const counted = reads.map((read) => read());
    for (let times = 0; times < 200; times++) await echo();
    for (const [index, child] of children.entries()) {
      const switches = switchesOf(child) - start[index]!;
      const [away, to] = reads[index]!().map((value, i) => value - counted[index]![i]!);
      assert.ok(switches >= 200);
      // Asleep before and after, so that it came as often as it went.
      assert.deepEqual([away, to], [switches, switches], `process ${index}`);
    }
  });
});
