import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, type TestContext, test } from 'node:test';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { lasting, placeOf } from '../../scripts/node/place.ts';
import { type Container, createSandbox, type Sandbox } from '../../scripts/node/sandbox.ts';
import { parseMetricSpec } from '../../sidecar/contract/metric-spec-yaml.ts';
import { openMetricsFormat } from '../../sidecar/exposition/openmetrics.ts';
import { textFormat } from '../../sidecar/exposition/text.ts';
import type { PodCgroup } from '../../sidecar/pod/cgroups.ts';
import { type Containers, createContainers } from '../../sidecar/pod/containers.ts';
import { type Probe, startProbe } from '../../sidecar/probe.ts';
import type { ProbeContext } from '../../sidecar/probe-reader.ts';
import { ownHooks } from '../../sidecar/programs/hooks/hooks.ts';
import { createShares, type Shares } from '../../sidecar/series/shares.ts';
import { writeSizes, writeSizesSpec } from '../support/exemplars.ts';
import { output } from '../support/pod.ts';
import { writing } from '../support/work.ts';

const headers = `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
`;

const map = (name: string, type: string, key: string, value = '__u64', entries = 64) => `
struct {
    __uint(type, BPF_MAP_TYPE_${type});
    __uint(max_entries, ${entries});
    __type(key, ${key});
    __type(value, ${value});
} ${name} SEC(".maps");
`;

/** Runs `body` for each write. */
const onWrite = (body: string) => `
SEC("raw_tp/sys_enter") int on_write(struct bpf_raw_tracepoint_args *ctx) {
    if (ctx->args[1] != __NR_write)
        return 0;
    ${body}
    return 0;
}`;

/** What ebpf_exporter's examples do: adds to an entry that may not be there yet. */
const increment = (name: string, key: string) => `
    { __u64 zero = 0, *count;
      bpf_map_update_elem(&${name}, &${key}, &zero, BPF_NOEXIST);
      count = bpf_map_lookup_elem(&${name}, &${key});
      if (count) __sync_fetch_and_add(count, 1); }`;

/** One of 100 bytes and one of none. */
const twoWrites = `
import os
null = os.open('/dev/null', os.O_WRONLY)
os.write(null, b'x' * 100)
os.write(null, b'')
`;

/** A connection over IPv4 and one over IPv6, within the pod; prints the ports that they go to. */
const connections = `
import socket
ports = []
for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    server = socket.create_server((host, 0), family=family)
    ports.append(str(server.getsockname()[1]))
    client = socket.create_connection(server.getsockname()[:2])
    server.accept()
print(*ports)
`;

describe('a metric spec', () => {
  let sandbox: Sandbox;
  let pod: PodCgroup;
  let web: Container;
  let worker: Container;
  let containers: Containers;
  let context: ProbeContext;

  before(async () => {
    sandbox = await createSandbox();
    web = sandbox.addContainer('web');
    worker = sandbox.addContainer('worker');
    pod = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
    containers = createContainers(pod.path, sandbox.containerLogs, sandbox);
    containers.refresh();
    context = {
      containerName: containers.nameOf,
      ...lasting,
      wantsContainer: () => true,
      containerCgroups: containers.cgroups,
      generation: containers.generation,
    };
  });
  after(() => sandbox.destroy());

  async function start(
    t: TestContext,
    code: string,
    yaml?: string,
    { name = 'mine', shares }: { name?: string; shares?: Shares } = {},
  ): Promise<Probe> {
    const elf = await compileProgram(headers + code);
    const spec = yaml === undefined ? {} : { spec: parseMetricSpec(yaml, `${name}.yaml`) };
    const probe = startProbe({ name, elf, ...spec }, pod, context, ownHooks, shares);
    t.after(() => probe.close());
    assert.deepEqual(
      probe.programs.flatMap(({ problem }) => problem ?? []),
      [],
    );
    return probe;
  }

  const lines = (probe: Probe, labels = '') => textFormat.render(probe.read(), labels).toString().split('\n');

  test('that is left out makes a counter of each map, as kube-bpf printed it', async (t) => {
    const code = `
${map('packets', 'HASH', '__u32')}
struct by_side { char side[8]; };
struct sums { __u64 calls; __u64 bytes; __u32 last; };
${map('sides', 'HASH', 'struct by_side', 'struct sums')}
${map('small', 'ARRAY', '__u32', '__u32', 1)}
${map('tail', 'PROG_ARRAY', '__u32', '__u32', 1)}
${onWrite(`__u32 protocol = ctx->args[1] == __NR_write ? 17 : 0;
    struct by_side key = {.side = "left"};
    struct sums sums = {.calls = 2, .bytes = 300, .last = 1};
    bpf_map_update_elem(&sides, &key, &sums, BPF_ANY);
    bpf_map_lookup_elem(&small, &protocol);
    bpf_tail_call(ctx, &tail, 0);
    ${increment('packets', 'protocol')}`)}`;
    const probe = await start(t, code, undefined, { name: 'test' });
    await output(web, ...writing(551));
    const all = lines(probe, 'node="127.0.0.1"');
    const first = all.indexOf('# HELP test_packets Data coming from packets BPF map');
    assert.deepEqual(all.splice(first, 3), [
      '# HELP test_packets Data coming from packets BPF map',
      '# TYPE test_packets counter',
      'test_packets{node="127.0.0.1",key="00017"} 551',
    ]);
    assert.deepEqual(all, [
      '# HELP test_sides_calls Data coming from sides BPF map',
      '# TYPE test_sides_calls counter',
      'test_sides_calls{node="127.0.0.1",side="left"} 2',
      '# HELP test_sides_bytes Data coming from sides BPF map',
      '# TYPE test_sides_bytes counter',
      'test_sides_bytes{node="127.0.0.1",side="left"} 300',
      '',
    ]);
  });

  test('that is left out where there is nothing to show is one sentence', async (t) => {
    await assert.rejects(start(t, onWrite('')), {
      message:
        /^object mine has no map that can be shown without a metric spec: a hash or array with u64 values$/,
    });
  });

  test('without labels gets them from the key', async (t) => {
    const code = `
enum operation { READ, WRITE };
struct call_key { __u64 container; enum operation operation; __u16 bucket; };
${map('calls_total', 'HASH', 'struct call_key')}
${onWrite(`struct call_key key = {};
    key.container = bpf_get_current_cgroup_id();
    key.operation = WRITE;
    key.bucket = 1;
    ${increment('calls_total', 'key')}`)}`;
    const probe = await start(
      t,
      code,
      `metrics:
  histograms:
    - { name: sizes, map: calls_total, bucket_type: linear, bucket_max: 2 }`,
    );
    await output(web, ...writing(7));
    const all = lines(probe);
    assert.ok(all.includes('bpf_sizes_bucket{container="web",operation="WRITE",le="0"} 0'), all.join('\n'));
    assert.ok(all.includes('bpf_sizes_bucket{container="web",operation="WRITE",le="1"} 7'));
    assert.ok(all.includes('bpf_sizes_count{container="web",operation="WRITE"} 7'));
  });

  test('whose last label is the cpu has a series for each CPU of a per-CPU map', async (t) => {
    const code = `
${map('calls_total', 'PERCPU_HASH', '__u32')}
${onWrite(`__u32 key = 3; ${increment('calls_total', 'key')}`)}`;
    const label = (name: string, size: number) =>
      `{ name: ${name}, size: ${size}, decoders: [{ name: uint }] }`;
    const probe = await start(
      t,
      code,
      `metrics: { counters: [{ name: calls_total, labels: [${label('vec', 4)}, ${label('cpu', 2)}] }] }`,
    );
    await output(web, 'taskset', '-c', '0', ...writing(20));
    await output(web, 'taskset', '-c', '1', ...writing(30));
    const series = lines(probe).filter((line) => line.startsWith('bpf_calls_total{'));
    const [first, second] = series.map((line) => /^.*\{vec="3",cpu="(\d)"\} (\d+)$/.exec(line));
    assert.deepEqual([first?.[1], second?.[1]], ['0', '1']);
    assert.equal(Number(first?.[2]) + Number(second?.[2]), 50);
    assert.ok(Number(first?.[2]) >= 20 && Number(second?.[2]) >= 30, series.join('\n'));
  });

  for (const type of ['ARRAY', 'PERCPU_ARRAY'])
    test(`without labels has none for a map of type ${type} and one entry`, async (t) => {
      const code = `
struct stats { __u64 calls; __u64 sizes[4]; };
${map('calls_total', type, '__u32', '__u64', 1)}
${map('stats', type, '__u32', 'struct stats', 1)}
${map('two_total', type, '__u32', '__u64', 2)}
${onWrite(`__u32 key = 0; ${increment('calls_total', 'key')}
    struct stats *own = bpf_map_lookup_elem(&stats, &key);
    if (own) { own->calls++; own->sizes[0]++; own->sizes[2] += 10; }`)}`;
      const probe = await start(
        t,
        code,
        `metrics:
  counters: [{ name: calls_total }, { name: two_total }]
  gauges: [{ name: now, map: stats, value: calls }]
  histograms: [{ name: sizes, map: stats, value: sizes, bucket_type: linear, bucket_max: 1 }]`,
      );
      await output(web, ...writing(9));
      assert.deepEqual(
        lines(probe).filter((line) => !line.startsWith('#')),
        [
          'bpf_calls_total 9',
          'bpf_two_total{key="0"} 0',
          'bpf_two_total{key="1"} 0',
          'bpf_now 9',
          'bpf_sizes_bucket{le="0"} 9',
          'bpf_sizes_bucket{le="1"} 9',
          'bpf_sizes_bucket{le="+Inf"} 9',
          'bpf_sizes_sum 90',
          'bpf_sizes_count 9',
          '',
        ],
      );
    });

  test('whose only label is the cpu has a series for each CPU of a per-CPU array of one entry', async (t) => {
    const code = (entries: number) => `
${map('calls_total', 'PERCPU_ARRAY', '__u32', '__u64', entries)}
${onWrite(`__u32 key = 0; ${increment('calls_total', 'key')}`)}`;
    const spec = `metrics: { counters: [{ name: calls_total, labels: [{ name: cpu, size: 2, decoders: [{ name: uint }] }] }] }`;
    const probe = await start(t, code(1), spec);
    await output(web, 'taskset', '-c', '1', ...writing(30));
    const series = lines(probe).filter((line) => line.startsWith('bpf_calls_total{'));
    const counts = series.map((line) => /^bpf_calls_total\{cpu="(\d)"\} (\d+)$/.exec(line));
    assert.deepEqual([counts[0]?.[1], counts[1]?.[1]], ['0', '1'], series.join('\n'));
    assert.equal(Number(counts[0]?.[2]) + Number(counts[1]?.[2]), 30);
    assert.ok(Number(counts[1]?.[2]) >= 30, series.join('\n'));
    await assert.rejects(start(t, code(2), spec), {
      message: /the labels cover 2 bytes, but a key of map "calls_total" has 4/,
    });
  });

  test('gives a program the addresses of kernel symbols', async (t) => {
    const address = /^([0-9a-f]+) . vfs_write$/m.exec(readFileSync('/proc/kallsyms', 'utf8'))?.[1];
    if (address === undefined || BigInt(`0x${address}`) === 0n)
      return t.skip('this kernel hides its addresses: kernel.kptr_restrict is 2');
    const code = `
const volatile __u64 kaddr_vfs_write = 0;
void *kaddr_vfs_read = (void *)1;
${map('addresses', 'ARRAY', '__u32', '__u64', 2)}
${onWrite(`__u32 zero = 0, one = 1;
    __u64 first = kaddr_vfs_write, second = (__u64)kaddr_vfs_read;
    bpf_map_update_elem(&addresses, &zero, &first, 0);
    bpf_map_update_elem(&addresses, &one, &second, 0);`)}`;
    const symbols = (...names: string[]) => `kaddrs: [${names.join(', ')}]
metrics: { gauges: [{ name: addresses, labels: [{ name: i, size: 4, decoders: [{ name: uint }] }] }] }`;
    const probe = await start(t, code, symbols('vfs_write', 'vfs_read'));
    await output(web, ...writing(1));
    const read = /^([0-9a-f]+) . vfs_read$/m.exec(readFileSync('/proc/kallsyms', 'utf8'))?.[1];
    assert.ok(lines(probe).includes(`bpf_addresses{i="0"} ${Number(`0x${address}`)}`));
    assert.ok(lines(probe).includes(`bpf_addresses{i="1"} ${Number(`0x${read}`)}`));
    await assert.rejects(start(t, code, symbols('vfs_wryte')), {
      message: 'kaddrs: the kernel has no symbol "vfs_wryte"; see /proc/kallsyms for those it has',
    });
    await assert.rejects(start(t, code, symbols('vfs_open')), {
      message: 'object mine has no variable kaddr_vfs_open',
    });
  });

  for (const [type, code] of [
    [
      'hash',
      `${map('chosen', 'HASH', '__u64')}
${map('writes_total', 'HASH', '__u64')}
${onWrite(`__u64 id = bpf_get_current_cgroup_id(), *wanted = bpf_map_lookup_elem(&chosen, &id);
    if (wanted && *wanted == 1) ${increment('writes_total', 'id')}`)}`,
    ],
    [
      'cgrp_storage',
      `
#include "cgroup.bpf.h"
static void *(*storage_get)(void *map, struct cgroup *cgroup, void *value, __u64 flags) = (void *)210;
struct {
    __uint(type, 32); /* BPF_MAP_TYPE_CGRP_STORAGE */
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u64);
} chosen SEC(".maps");
${map('writes_total', 'HASH', '__u64')}
SEC("tp_btf/sys_enter") int BPF_PROG(on_write, struct pt_regs *regs, long number) {
    __u64 id = bpf_get_current_cgroup_id(), *wanted;
    if (number != __NR_write || !(wanted = storage_get(&chosen, current_cgroup_typed(), 0, 0)) || *wanted != 1)
        return 0;
    ${increment('writes_total', 'id')}
    return 0;
}`,
    ],
  ] as const)
    test(`fills a map of type ${type} with the cgroups of the containers that it names`, async (t) => {
      const spec = `
cgroup_id_map: { name: chosen, type: ${type}, regexps: ["^wor", "late$"] }
metrics: { counters: [{ name: writes_total, labels: [{ name: container, size: 8, decoders: [{ name: uint }, { name: cgroup }] }] }] }`;
      const probe = await start(t, code, spec);
      await output(web, ...writing(5));
      await output(worker, ...writing(11));
      assert.deepEqual(lines(probe).slice(1, -1), ['bpf_writes_total{container="worker"} 11']);
      const late = sandbox.addContainer(`${type.replace('_', '-')}-late`);
      containers.refresh();
      probe.read();
      await output(late, ...writing(3));
      assert.deepEqual(lines(probe).slice(1, -1).sort(), [
        `bpf_writes_total{container="${type.replace('_', '-')}-late"} 3`,
        'bpf_writes_total{container="worker"} 11',
      ]);
    });

  test('may name the map that has the stacks', async (t) => {
    const code = `
struct { __uint(type, BPF_MAP_TYPE_STACK_TRACE); __uint(max_entries, 64); __uint(key_size, 4); __uint(value_size, 20 * 8); }
    stacks SEC(".maps");
${map('calls_total', 'HASH', '__s32')}
SEC("tp_btf/sys_enter") int entered(__u64 *ctx) {
    if (ctx[1] != __NR_write)
        return 0;
    __u64 one = 1;
    __s32 stack = bpf_get_stackid(ctx, &stacks, 0), error = -14;
    __u64 *count = bpf_map_lookup_elem(&calls_total, &stack);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        bpf_map_update_elem(&calls_total, &stack, &one, 0);
    bpf_map_update_elem(&calls_total, &error, &one, 0);
    return 0;
}`;
    const spec = (stacks: string) =>
      `metrics: { counters: [{ name: calls_total, labels: [{ name: stack, size: 4, decoders: [{ name: kstack_id, map: ${stacks} }] }] }] }`;
    const probe = await start(t, code, spec('stacks'));
    await output(web, ...writing(37));
    const [family] = probe.read();
    const series = [...family!.series] as { labels: string; value: number }[];
    assert.equal(
      series.filter(({ labels }) => labels !== 'stack="no stack"').reduce((sum, { value }) => sum + value, 0),
      37,
    );
    // Functions of the kernel, a line each, the innermost first.
    assert.match(
      series.map(({ labels }) => labels).join(' '),
      /stack="[a-z_0-9]+\\n([a-zA-Z_0-9.]+\\n)*[a-zA-Z_0-9.]*syscall/,
    );
    assert.ok(series.some(({ labels }) => labels === 'stack="no stack"'));
    await assert.rejects(start(t, code, spec('calls_total')), {
      message: 'map calls_total has no stacks: it is of type 1',
    });
    await assert.rejects(start(t, code, spec('nowhere')), /object mine has no map nowhere/);
  });

  test('with a map of cgroup ids that is none is one sentence', async (t) => {
    const spec = `
cgroup_id_map: { name: calls, regexps: [a] }
metrics: { counters: [{ name: calls, labels: [] }] }`;
    await assert.rejects(start(t, map('calls', 'ARRAY', '__u32', '__u64', 1) + onWrite(''), spec), {
      message:
        'cgroup_id_map: map "calls" must have a key of 8 and a value of 8 bytes for type hash, not 4 and 8',
    });
  });

  test('may not claim a name that another probe has, until that one has gone', async (t) => {
    const shares = createShares();
    const code = map('calls', 'ARRAY', '__u32', '__u64', 1) + onWrite('');
    const spec = (name: string) => `metrics: { counters: [{ name: ${name}, map: calls, labels: [] }] }`;
    const elf = await compileProgram(headers + code);
    const source = { name: 'first', elf, spec: parseMetricSpec(spec('calls_total'), 'first.yaml') };
    const first = startProbe(source, pod, context, ownHooks, shares);
    const second = (name: string) => start(t, code, spec(name), { name: 'second', shares });
    await assert.rejects(second('calls_created'), {
      message:
        'metric bpf_calls_created: the name bpf_calls_created is already one of probe first; give the metric another name',
    });
    await assert.rejects(second('calls_total'), { message: /is already one of probe first/ });
    first.close();
    await second('calls_total');
  });

  test('may name exemplars: the last event of each bucket, with who it was', async (t) => {
    const probe = await start(t, writeSizes, writeSizesSpec);
    const began = Date.now() / 1000;
    await output(web, 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=3', 'count=5', 'status=none');
    await output(web, '/usr/bin/python3', '-c', twoWrites);
    const ended = Date.now() / 1000;
    const render = () => openMetricsFormat.render(probe.read(), '').toString().split('\n');
    const buckets = render().filter((line) => line.includes('_bucket'));
    const shape =
      /^bpf_write_half_bytes_bucket\{container="web",le="(.+?)"\} (\d+)(?: # \{pid="\d+",comm="(\w+)"\} (\S+) (\d+\.\d{3}))?$/;
    const parts = buckets.map((line) => shape.exec(line) ?? []);
    assert.deepEqual(
      parts.map(([, bound, count, command, value]) => [bound, count, command, value]),
      [
        ['0.5', '1', 'python3', '0'],
        ['1.0', '1', undefined, undefined],
        ['2.0', '6', 'dd', '1.5'],
        ['4.0', '6', undefined, undefined],
        ['+Inf', '7', 'python3', '50'],
      ],
      buckets.join('\n'),
    );
    const times = parts.flatMap(([, , , , , time]) => (time === undefined ? [] : [Number(time)]));
    assert.equal(times.length, 3);
    for (const time of times) assert.ok(time > began - 0.1 && time < ended + 0.1, `${time}`);
    assert.deepEqual(
      render().filter((line) => line.includes('_bucket')),
      buckets,
      'an exemplar keeps its time',
    );
    assert.doesNotMatch(lines(probe).join('\n'), /} \d+ # /, 'the text format has none');
  });

  test('may name exemplars of sockets, which tell the peer', async (t) => {
    const code = `
#include "maps.bpf.h"
#include "exemplars.bpf.h"
struct stats { HISTOGRAM(families, 2); };
${map('stats', 'ARRAY', '__u32', 'struct stats', 1)}
EXEMPLARS(last, __u32, 16);
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_changed, const struct sock *sk, int before, int now) {
    __u32 key = 0, bucket = BPF_CORE_READ(sk, __sk_common.skc_family) == ENDPOINT_IPV6;
    struct stats *own = bpf_map_lookup_elem(&stats, &key);
    if (!own || before != 2 || now != 1) /* from SYN_SENT to ESTABLISHED */
        return 0;
    observe(own->families, 2, bucket, bucket);
    keep_exemplar_of(last, key, bucket, bucket, sk);
    return 0;
}`;
    const spec = `
metrics: { histograms: [{ name: families, map: stats, value: families, exemplars: last, bucket_type: linear, bucket_max: 1 }] }`;
    const probe = await start(t, code, spec);
    const ports = await output(web, '/usr/bin/python3', '-c', connections);
    const [ipv4, ipv6] = ports.trim().split(' ');
    const text = openMetricsFormat.render(probe.read(), '').toString();
    const exemplars = [...text.matchAll(/le="(\S+)"} (\d) # {pid="\d+",comm="[^"]*",peer="(\S+)"} (\d)/g)];
    assert.deepEqual(
      exemplars.map(([, ...parts]) => parts),
      [
        ['0.0', '1', `127.0.0.1:${ipv4}`, '0'],
        ['1.0', '2', `[::1]:${ipv6}`, '1'],
      ],
      text,
    );
  });

  for (const [what, spec, reason] of [
    [
      'a map that is not there',
      writeSizesSpec.replace('size_exemplars', 'gone'),
      /^object mine has no map gone; /,
    ],
    [
      'a map without values of that kind',
      writeSizesSpec.replace('exemplars: size_exemplars', 'exemplars: sizes'),
      /^metric bpf_write_half_bytes: map "sizes" of its exemplars must have a struct with a u64 "value" as its value$/,
    ],
  ] as const)
    test(`whose exemplars are in ${what} is one sentence`, async (t) => {
      await assert.rejects(start(t, writeSizes, spec), { message: reason });
    });
});
