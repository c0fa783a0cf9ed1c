import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Container } from '../../../scripts/node/sandbox.ts';
import { startAuthored } from '../../support/author.ts';
import { type BarePods, makeBarePods } from '../../support/bare-pod.ts';
import { compileNative } from '../../support/native.ts';
import { output } from '../../support/pod.ts';
import { countingSlots, slotsOf, slotsSpec } from '../../support/slots.ts';

/** What objects of others do that could trip a dispatcher, and how often each counts an event, in a slot of its own. */
const features: [name: string, perEvent: number, program: (hook: Hook) => string][] = [
  [
    'several programs in one section',
    2,
    ({ section, context, wanted, verdict }) => `
SEC("${section}") int first(${context} *ctx) { if (${wanted}) add(0, 1); return ${verdict}; }
SEC("${section}") int second(${context} *ctx) { if (${wanted}) add(0, 1); return ${verdict}; }`,
  ],
  [
    'static and global subprograms',
    3,
    ({ section, context, wanted, verdict }) => `
static __attribute__((noinline)) int twice(__u64 n) { add(1, 1); add(1, 1); return n > 0; }
__attribute__((noinline)) int once(__u64 n) { add(1, 1); return n > 0; }
SEC("${section}") int subprograms(${context} *ctx) {
    if (${wanted}) {
        __u64 n = bpf_get_prandom_u32();
        twice(n);
        once(n);
    }
    return ${verdict};
}`,
  ],
  [
    'callbacks',
    5,
    ({ section, context, wanted, verdict }) => `
static long each(__u32 index, void *unused) { add(2, 1); return 0; }
SEC("${section}") int loops(${context} *ctx) {
    if (${wanted})
        bpf_loop(5, each, NULL, 0);
    return ${verdict};
}`,
  ],
  [
    'globals',
    7,
    ({ section, context, wanted, verdict }) => `
const volatile int on = 1;
int times = 7;
__u64 seen;
SEC("${section}") int globals(${context} *ctx) {
    if (!on || !(${wanted}))
        return ${verdict};
    __sync_fetch_and_add(&seen, 1);
    for (int i = 0; i < 16 && i < times && seen; i++)
        add(3, 1);
    return ${verdict};
}`,
  ],
  [
    'CO-RE relocations',
    1,
    ({ section, context, wanted, verdict }) => `
struct task_struct { int tgid; int pid; } __attribute__((preserve_access_index));
SEC("${section}") int relocated(${context} *ctx) {
    struct task_struct *task = (void *)bpf_get_current_task_btf();
    if ((${wanted}) && task->tgid >= 0)
        add(4, 1);
    return ${verdict};
}`,
  ],
  [
    // The target is a program like any other, so it is attached as well: once by itself, once by the tail call.
    'tail calls of their own',
    2,
    ({ section, context, wanted, verdict }) => `
int target(${context} *ctx);
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __uint(key_size, 4);
    __array(values, int(${context} *));
} jumps SEC(".maps") = { .values = { [0] = &target } };
SEC("${section}") int target(${context} *ctx) { if (${wanted}) add(5, 1); return ${verdict}; }
SEC("${section}") int jumper(${context} *ctx) { bpf_tail_call(ctx, &jumps, 0); return ${verdict}; }`,
  ],
];

interface Hook {
  section: string;
  context: string;
  /** Whether the event is one that the work makes. */
  wanted: string;
  verdict: number;
}

/** Does something in a container a number of times. */
type Work = (container: Container, times: number) => Promise<unknown>;

const python =
  (code: string): Work =>
  (container, times) =>
    output(container, 'python3', '-c', `n = ${times}\n${code}`);

const getpriority = python('import os\nfor _ in range(n): os.getpriority(0, 0)');
const signals = python(`
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: None)
for _ in range(n): os.kill(os.getpid(), 10)`);
const connections = python(`
import socket
for _ in range(n):
    listener = socket.socket(); listener.bind(('127.0.0.1', 0)); listener.listen(1)
    client = socket.socket(); client.connect(listener.getsockname())
    server = listener.accept()[0]
    server.close(); client.close(); listener.close()`);
const datagrams = python(`
import socket
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); receiver.bind(('127.0.0.1', 0))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(n): sender.sendto(b'x', receiver.getsockname()); receiver.recv(1)`);

const times = 23;
const raw = { context: '__u64', verdict: 0 };

const hooks: (Hook & { work: Work; expected: number })[] = [
  ...['tp_btf', 'raw_tp'].flatMap((kind) => [
    {
      ...raw,
      section: `${kind}/sys_enter`,
      wanted: 'ctx[1] == __NR_getpriority',
      work: getpriority,
      expected: times,
    },
    {
      ...raw,
      section: `${kind}/signal_generate`,
      wanted: '(int)ctx[0] == 10',
      work: signals,
      expected: times,
    },
    {
      ...raw,
      section: `${kind}/inet_sock_set_state`,
      wanted: '(int)ctx[2] == 1',
      work: connections,
      expected: 2 * times,
    },
    { ...raw, section: `${kind}/net_dev_queue`, wanted: '1', work: datagrams, expected: times },
  ]),
  {
    ...raw,
    section: 'tp/syscalls/sys_enter_getpriority',
    wanted: '1',
    work: getpriority,
    expected: times,
  },
  ...[
    { section: 'cgroup_skb/egress', context: 'struct __sk_buff', work: datagrams, expected: times },
    { section: 'cgroup/connect4', context: 'struct bpf_sock_addr', work: connections, expected: times },
    { section: 'cgroup/sock_create', context: 'struct bpf_sock', work: datagrams, expected: 2 },
  ].map((hook) => ({ ...hook, wanted: '1', verdict: 1 })),
  {
    section: 'sockops',
    context: 'struct bpf_sock_ops',
    wanted: 'ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB',
    verdict: 1,
    work: connections,
    expected: times,
  },
];

describe('objects of other authors, which do all that they may on one hook', () => {
  let bare: BarePods;
  before(async () => {
    bare = await makeBarePods({ network: true });
  });
  after(() => bare.destroy());

  /** Has each feature count exactly what happens in the pod and not in the sidecar, by its number. */
  async function assertExact(t: TestContext, hook: Hook, work: Work, expected: number, headers = '') {
    const code = countingSlots(headers + features.map(([, , program]) => program(hook)).join('\n'));
    const probe = await startAuthored(code, bare.pod, slotsSpec);
    t.after(() => probe.close());
    assert.deepEqual(
      probe.programs.flatMap(({ problem }) => problem ?? []),
      [],
    );
    const counts = () =>
      Object.fromEntries(slotsOf(probe, features.length).map((count, slot) => [features[slot]![0], count]));
    const each = (events: number) =>
      Object.fromEntries(features.map(([name, perEvent]) => [name, events * perEvent]));
    await work(bare.sidecar, 5);
    await work(bare.outsider, 5);
    assert.deepEqual(counts(), each(0), 'the sidecar itself and another pod');
    await work(bare.web, times);
    assert.deepEqual(counts(), each(expected));
  }

  for (const { work, expected, ...hook } of hooks)
    test(`${hook.section}: each counts its pod exactly`, (t) => assertExact(t, hook, work, expected));

  for (const [kind, target, expected] of [
    ['uprobe', ':place_order', 37],
    ['uretprobe', ':place_order', 37],
    ['uprobe.multi', ':place_*', 42],
    ['usdt', ':shop:order', 37],
  ] as const)
    test(`${kind}: each counts its pod exactly`, async (t) => {
      const path = compileNative(t, 'calls.c');
      // Attached is what a container has.
      const running = bare.web.spawn([path], { stdio: ['pipe', 'pipe', 'inherit'] });
      t.after(() => running.kill());
      running.stdin!.write('\n');
      await once(running.stdout!, 'data');
      const orders: Work = (container) => output(container, 'sh', '-c', `echo | ${path}`);
      const headers = kind === 'usdt' ? '#include <bpf/usdt.bpf.h>\n' : '';
      const hook = { ...raw, section: `${kind}/${path}${target}`, wanted: '1' };
      await assertExact(t, hook, orders, expected, headers);
    });
});
