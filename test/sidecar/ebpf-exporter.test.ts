import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { lasting } from '../../scripts/node/place.ts';
import { openMetricsFormat } from '../../sidecar/exposition/openmetrics.ts';
import { textFormat } from '../../sidecar/exposition/text.ts';
import { createContainers } from '../../sidecar/pod/containers.ts';
import { ownHooks } from '../../sidecar/programs/hooks/hooks.ts';
import { startCompiled } from '../support/author.ts';
import { type BarePod, makeBarePod } from '../support/bare-pod.ts';
import { eventually } from '../support/eventually.ts';
import {
  parseOpenMetrics,
  promtoolComplaints,
  promtoolMissing,
  pythonClientMissing,
} from '../support/exposition.ts';
import { output } from '../support/pod.ts';

const fixtures = join(import.meta.dirname, '../fixtures/ebpf-exporter');

/** A map, and `on_write` with a body for each write; `increment` is what ebpf_exporter's own programs do. */
const program = (map: string, body: string) => `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
${map}
static __attribute__((unused)) void increment(void *map, void *key, __u64 n) {
    __u64 zero = 0, *count = bpf_map_lookup_elem(map, key);
    if (!count) {
        bpf_map_update_elem(map, key, &zero, BPF_NOEXIST);
        count = bpf_map_lookup_elem(map, key);
    }
    if (count)
        __sync_fetch_and_add(count, n);
}
SEC("raw_tp/sys_enter") int on_write(struct bpf_raw_tracepoint_args *ctx) {
    if (ctx->args[1] != __NR_write)
        return 0;
    ${body}
    return 0;
}
`;

const map = (name: string, type: string, key: string, entries: number, value = '__u64') => `
struct {
    __uint(type, BPF_MAP_TYPE_${type});
    __uint(max_entries, ${entries});
    __type(key, ${key});
    __type(value, ${value});
} ${name} SEC(".maps");`;

const writes = 13;

/** By fixture: its program, and the series after 13 writes of dd on the first CPU. */
const examples: Record<string, { code: string; series: string[] }> = {
  commands: {
    code: program(
      `struct command { char name[16]; };${map('commands_total', 'HASH', 'struct command', 64)}`,
      `struct command dd = {}, python = {.name = "python3"}, node = {.name = "node"};
    bpf_get_current_comm(&dd, sizeof(dd));
    increment(&commands_total, &dd, 1);
    increment(&commands_total, &python, 1);
    increment(&commands_total, &node, 1);`,
    ),
    series: [
      'commands_total{comm="d"} 13',
      'commands_total{comm="node"} 13',
      'commands_total{comm="python3"} 13',
    ],
  },
  clamps: {
    code: program(
      map('clamps_total', 'ARRAY', '__u32', 1),
      '__u32 key = 0; increment(&clamps_total, &key, 1);',
    ),
    series: ['clamps_total 13'],
  },
  'per-cpu': {
    code: program(
      map('vectors_total', 'PERCPU_ARRAY', '__u32', 2),
      '__u32 key = 1; if (bpf_get_smp_processor_id() == 0) increment(&vectors_total, &key, 1);',
    ),
    series: [
      'vectors_total{vec="HI",cpu="0"} 0',
      'vectors_total{vec="HI",cpu="1"} 0',
      'vectors_total{vec="TIMER",cpu="0"} 13',
      'vectors_total{vec="TIMER",cpu="1"} 0',
    ],
  },
  executions: {
    code: program(
      `struct event { __u32 pid; char comm[16]; char args[896]; };
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } executions SEC(".maps");
${map('scratch', 'PERCPU_ARRAY', '__u32', 1, 'struct event')}`,
      `__u32 key = 0;
    struct event *event = bpf_map_lookup_elem(&scratch, &key);
    if (!event)
        return 0;
    event->pid = 4711;
    bpf_get_current_comm(&event->comm, sizeof(event->comm));
    __builtin_memcpy(event->args, "if=/dev/zero \\"of\\"\\n", 20);
    event->args[895] = 'x';
    bpf_perf_event_output(ctx, &executions, BPF_F_CURRENT_CPU, event, sizeof(*event));`,
    ),
    series: ['executions{pid="4711",comm="dd",args="if=/dev/zero \\"of\\"\\n"} 13'],
  },
  throttling: {
    code: program(
      `struct key { __u32 cgroup; __u32 bucket; };${map('throttling_seconds', 'HASH', 'struct key', 64)}`,
      `struct key key = {.cgroup = bpf_get_current_cgroup_id(), .bucket = 1};
    increment(&throttling_seconds, &key, 1);
    key.bucket = 3;
    increment(&throttling_seconds, &key, 2);`,
    ),
    series: [
      'throttling_seconds_bucket{cgroup="web",le="0.000001"} 0',
      'throttling_seconds_bucket{cgroup="web",le="0.000002"} 13',
      'throttling_seconds_bucket{cgroup="web",le="0.000004"} 13',
      'throttling_seconds_bucket{cgroup="web",le="+Inf"} 13',
      'throttling_seconds_sum{cgroup="web"} 0.000026',
      'throttling_seconds_count{cgroup="web"} 13',
    ],
  },
  fixed: {
    code: program(
      map('sizes_bytes', 'HASH', '__u64', 64),
      '__u64 key = 2; increment(&sizes_bytes, &key, 1); key = 10; increment(&sizes_bytes, &key, 1);',
    ),
    series: [
      'sizes_bytes_bucket{le="1"} 0',
      'sizes_bytes_bucket{le="2.5"} 13',
      'sizes_bytes_bucket{le="10"} 26',
      'sizes_bytes_bucket{le="+Inf"} 26',
      'sizes_bytes_sum 0',
      'sizes_bytes_count 26',
    ],
  },
  numbers: {
    code: program(
      `struct key { __u64 number; __u8 pod; __u8 unused[7]; };${map('numbers_total', 'HASH', 'struct key', 64)}`,
      'struct key key = {.number = ctx->args[1], .pod = 1}; increment(&numbers_total, &key, 1);',
    ),
    series: ['numbers_total{syscall="write",exported_pod="true"} 13'],
  },
};

describe('a config and its program written for ebpf_exporter', () => {
  let bare: BarePod;
  before(async () => {
    bare = await makeBarePod();
  });
  after(() => bare.destroy());

  test('are all here', () => {
    assert.deepEqual(
      readdirSync(fixtures).sort(),
      Object.keys(examples)
        .map((name) => `${name}.yaml`)
        .sort(),
    );
  });

  for (const [name, { code, series }] of Object.entries(examples))
    test(`give the series that it gives: ${name}`, async (t) => {
      const containers = createContainers(bare.pod.path, bare.sandbox.containerLogs, bare.sandbox);
      containers.refresh();
      const context = {
        containerName: containers.nameOf,
        ...lasting,
        wantsContainer: () => true,
        containerCgroups: containers.cgroups,
        generation: containers.generation,
      };
      const yaml = readFileSync(join(fixtures, `${name}.yaml`), 'utf8');
      const probe = startCompiled(await compileProgram(code), bare.pod, ownHooks, yaml, context);
      t.after(() => probe.close());
      const dd = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', `count=${writes}`, 'status=none'];
      await output(bare.web, 'taskset', '-c', '0', ...dd);
      const read = () => probe.read();
      await eventually(() => {
        const lines = textFormat.render(read(), '').toString().split('\n');
        assert.deepEqual(
          lines.filter((line) => line !== '' && !line.startsWith('#')).sort(),
          series.map((line) => `bpf_${line}`).sort(),
        );
      });
      if (!pythonClientMissing)
        assert.notEqual(parseOpenMetrics(openMetricsFormat.render(read(), '').toString()).length, 0);
      if (!promtoolMissing && name !== 'executions')
        assert.equal(promtoolComplaints(textFormat.render(read(), '').toString()), '');
    });
});
