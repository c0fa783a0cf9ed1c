import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAuthored } from '../../support/author.ts';
import { barePodFor } from '../../support/bare-pod.ts';
import { output } from '../../support/pod.ts';

const program = `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } calls_total SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } started SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 50000); __type(key, __u32); __type(value, __u64); } large SEC(".maps");
SEC("raw_tp/sys_enter") int entered(struct bpf_raw_tracepoint_args *ctx) {
    __u32 number = ctx->args[1];
    __u64 one = 1, *count = bpf_map_lookup_elem(&calls_total, &number);
    bpf_map_update_elem(&started, &number, &one, BPF_ANY);
    bpf_map_update_elem(&large, &number, &one, BPF_ANY);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        bpf_map_update_elem(&calls_total, &number, &one, BPF_ANY);
    return 0;
}`;
const spec =
  'metrics: { counters: [{ name: calls_total, labels: [{ name: number, size: 4, decoders: [{ name: uint }] }] }] }';

test('a program that fills its map goes on with what is in it, and that is seen of all its maps but large ones', async (t) => {
  const { pod, web } = await barePodFor(t);
  const probe = await startAuthored(program, pod, spec);
  t.after(() => probe.close());
  probe.read();
  assert.deepEqual(probe.fullness(), [
    { map: 'calls_total', entries: 0, capacity: 8 },
    { map: 'started', entries: 0, capacity: 4 },
  ]);
  await output(web, 'python3', '-c', '');
  const [first] = probe.read();
  assert.deepEqual(probe.fullness(), [
    { map: 'calls_total', entries: 8, capacity: 8 },
    { map: 'started', entries: 4, capacity: 4 },
  ]);
  const sum = () =>
    [...(first!.series as Iterable<{ value: number }>)].reduce((all, { value }) => all + value, 0);
  const before = sum();
  await output(web, 'python3', '-c', '');
  probe.read();
  assert.ok(sum() > before);
});
