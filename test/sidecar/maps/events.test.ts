import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import type { Container } from '../../../scripts/node/sandbox.ts';
import { createTally } from '../../../sidecar/maps/events/tally.ts';
import type { Probe } from '../../../sidecar/probe.ts';
import type { HistogramSeries, ScalarSeries } from '../../../sidecar/series/family.ts';
import { startAuthored } from '../../support/author.ts';
import { barePodFor } from '../../support/bare-pod.ts';
import { output } from '../../support/pod.ts';

const program = (map: string, send: string) => `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
struct event { __u32 which; __u32 bucket; };
${map}
SEC("raw_tp/sys_enter") int entered(struct bpf_raw_tracepoint_args *ctx) {
    if (ctx->args[1] != __NR_getpriority)
        return 0;
    /* The first argument of the system call. */
    __u64 which = 0;
    bpf_probe_read_kernel(&which, sizeof(which), (void *)ctx->args[0] + ${process.arch === 'x64' ? '14 * 8' : '0'});
    struct event event = {.which = which, .bucket = which % 4};
    ${send}
    return 0;
}`;
const kinds = {
  'a ring buffer': program(
    'struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 65536); } calls_total SEC(".maps");',
    'bpf_ringbuf_output(&calls_total, &event, sizeof(event), 0);',
  ),
  'a perf event array': program(
    'struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } calls_total SEC(".maps");',
    'bpf_perf_event_output(ctx, &calls_total, BPF_F_CURRENT_CPU, &event, sizeof(event));',
  ),
};
const spec = (more = '') => `
metrics:
  counters:
    - name: calls_total
      ${more}
      labels:
        - { name: which, size: 4, padding: 4, decoders: [{ name: uint }] }
  histograms:
    - name: call_kinds
      map: calls_total
      bucket_type: linear
      bucket_max: 2
      labels:
        - { name: which, size: 4, decoders: [{ name: uint }] }
        - { name: bucket, size: 4, decoders: [{ name: uint }] }
`;
/** getpriority(which, 0): fails for most of them, which is no matter. */
const calls = (which: string, times: number) => [
  'python3',
  '-c',
  `import ctypes, os
# The kernel tells what was lost with the next event on the same CPU.
os.sched_setaffinity(0, {0})
libc = ctypes.CDLL(None)
for i in range(${times}): libc.getpriority(${which}, 0)`,
];

/** How often the kernel has put off something to an interrupt of its own, as it does to wake the reader of a buffer. */
function irqWorks(): number | undefined {
  const [, counts] = /^ *IWI:([ 0-9]+)/m.exec(readFileSync('/proc/interrupts', 'utf8')) ?? [];
  return counts
    ?.trim()
    .split(/ +/)
    .reduce((sum, count) => sum + Number(count), 0);
}

async function observe(t: TestContext, code: string, yaml: string): Promise<[Probe, Container]> {
  const { pod, web } = await barePodFor(t);
  const probe = await startAuthored(code, pod, yaml);
  t.after(() => probe.close());
  assert.deepEqual(
    probe.programs.flatMap(({ problem }) => problem ?? []),
    [],
  );
  return [probe, web];
}

describe('events', () => {
  for (const [kind, code] of Object.entries(kinds)) {
    test(`of ${kind} are counted by what they are, into counters and histograms`, async (t) => {
      const [probe, web] = await observe(t, code, spec());
      await output(web, ...calls('i % 5', 500));
      const [counter, histogram] = probe.read();
      const counts = Object.fromEntries(
        [...(counter!.series as Iterable<ScalarSeries>)].map(({ labels, value }) => [labels, value]),
      );
      const which = (n: number) => `which="${n}"`;
      assert.deepEqual(counts, {
        [which(0)]: 100,
        [which(1)]: 100,
        [which(2)]: 100,
        [which(3)]: 100,
        [which(4)]: 100,
      });
      const series = [...(histogram!.series as Iterable<HistogramSeries>)];
      assert.deepEqual(series.find(({ labels }) => labels === which(2))!.counts, [0, 0, 100, 0]);
      assert.equal(probe.droppedEvents(), 0);
    });

    test(`of ${kind} go round the end of the buffer many times, and none is lost`, async (t) => {
      const [probe, web] = await observe(t, code, spec());
      // 64 KiB have room for 4,096 events; reads in between, as scrapes are, keep it from filling.
      for (let round = 0; round < 12; round++) {
        await output(web, ...calls('1', 1500));
        probe.read();
      }
      const [series] = probe.read()[0]!.series as Iterable<ScalarSeries>;
      assert.equal(series!.value + probe.droppedEvents(), 18_000);
      assert.equal(probe.droppedEvents(), 0);
    });
  }

  test('of a perf event array wake nobody, which would double their cost', {
    skip: irqWorks() === undefined && 'the kernel does not count its IRQ works',
  }, async (t) => {
    const [probe, web] = await observe(t, kinds['a perf event array'], spec());
    const before = irqWorks()!;
    await output(web, ...calls('1', 5000));
    assert.ok(irqWorks()! - before < 2500, `${irqWorks()! - before} IRQ works for 5,000 events`);
    const [series] = probe.read()[0]!.series as Iterable<ScalarSeries>;
    assert.equal(series!.value, 5000);
  });

  test('are counted as dropped where the kernel tells that there was no room', async (t) => {
    const [probe, web] = await observe(t, kinds['a perf event array'], spec());
    // Nothing is read meanwhile: this thread waits.
    const [command, ...args] = calls('1', 60_000);
    spawnSync('sh', ['-c', 'echo 0 > "$0/cgroup.procs" && exec "$@"', web.cgroup, command!, ...args]);
    await output(web, ...calls('1', 100));
    probe.read();
    await output(web, ...calls('1', 100));
    const [series] = probe.read()[0]!.series as Iterable<ScalarSeries>;
    assert.ok(probe.droppedEvents() > 0);
    assert.equal(series!.value + probe.droppedEvents(), 60_200);
  });

  test('are refused from a map that has keys and values', async (t) => {
    const hash =
      'struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 9); __type(key, struct event); __type(value, __u64); } calls_total SEC(".maps");';
    await assert.rejects(observe(t, program(hash, '(void)event;'), spec('perf_event_array: true')), {
      message:
        'metric bpf_calls_total: map "calls_total" is neither a perf event array nor a ring buffer; remove perf_event_array',
    });
  });
});

describe('a tally', () => {
  const event = (...bytes: number[]) => Buffer.from(bytes);

  test('counts events that are too short, or one kind too many, as dropped', () => {
    const tally = createTally(2);
    tally.add(event(1), 0, 1);
    for (let kind = 0; kind < 10_050; kind++) tally.add(event(kind & 255, kind >> 8, 7), 0, 3);
    assert.equal(tally.read().count, 10_000);
    assert.equal(tally.dropped(), 51);
  });

  test('forgets what has not come for a while, and only that', () => {
    let time = 0;
    const tally = createTally(1, { after: 1000 }, () => time);
    const counts = () => {
      const { count, keys, values } = tally.read();
      return Array.from({ length: count }, (_, i) => [keys[i], values.readUInt32LE(i * 8)]);
    };
    tally.add(event(1), 0, 1);
    tally.add(event(2), 0, 1);
    assert.deepEqual(counts(), [
      [1, 1],
      [2, 1],
    ]);
    time = 900;
    tally.add(event(2), 0, 1);
    assert.deepEqual(counts(), [
      [1, 1],
      [2, 2],
    ]);
    time = 1800;
    assert.deepEqual(counts(), [[2, 2]]);
  });
});
