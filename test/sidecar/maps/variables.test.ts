import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ScalarSeries } from '../../../sidecar/series/family.ts';
import { startAuthored } from '../../support/author.ts';
import { barePodFor } from '../../support/bare-pod.ts';
import { output } from '../../support/pod.ts';

const program = `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
__u64 calls;
__s32 balance = 10;
_Bool seen;
__u32 errors SEC(".data.of_mine") = 3;
__u64 others SEC(".bss.mine");
SEC("raw_tp/sys_enter") int entered(struct bpf_raw_tracepoint_args *ctx) {
    if (ctx->args[1] != __NR_getpriority)
        return 0;
    __sync_fetch_and_add(&calls, 1);
    balance -= 5;
    seen = 1;
    errors++;
    others += 2;
    return 0;
}`;
const spec = `
metrics:
  counters:
    - { name: calls_total, map: .bss, value: calls, labels: [] }
    - { name: errors_total, map: .data.of_mine, value: errors, labels: [] }
    - { name: others_total, map: .bss.mine, value: others, labels: [] }
  gauges:
    - { name: balance, map: .data, value: balance, labels: [] }
    - { name: seen, map: .bss, value: seen, labels: [] }
`;

test('global variables are counters and gauges, by their own size and sign', async (t) => {
  const { pod, web } = await barePodFor(t);
  const probe = await startAuthored(program, pod, spec);
  t.after(() => probe.close());
  const read = () =>
    Object.fromEntries(
      probe.read().map(({ name, series }) => [name, ([...series] as ScalarSeries[])[0]!.value]),
    );
  assert.deepEqual(read(), {
    bpf_calls_total: 0,
    bpf_errors_total: 3,
    bpf_others_total: 0,
    bpf_balance: 10,
    bpf_seen: 0,
  });
  await output(web, 'python3', '-c', 'import os\nfor _ in range(7): os.getpriority(0, 0)');
  assert.deepEqual(read(), {
    bpf_calls_total: 7,
    bpf_errors_total: 10,
    bpf_others_total: 14,
    bpf_balance: -25,
    bpf_seen: 1,
  });
});

test('a variable that is not there is named, with those that are', async (t) => {
  const { pod } = await barePodFor(t);
  await assert.rejects(startAuthored(program, pod, spec.replace('value: seen', 'value: unseen')), {
    message: 'map .bss of object mine has no value member unseen; it has calls, seen',
  });
});
