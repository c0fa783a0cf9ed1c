import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { after, before, describe, type TestContext, test } from 'node:test';
import { lasting, placeOf } from '../../scripts/node/place.ts';
import { type Container, createSandbox, type Sandbox } from '../../scripts/node/sandbox.ts';
import type { PodCgroup } from '../../sidecar/pod/cgroups.ts';
import { type Containers, createContainers } from '../../sidecar/pod/containers.ts';
import type { Probe } from '../../sidecar/probe.ts';
import type { ProbeContext } from '../../sidecar/probe-reader.ts';
import type { ScalarFamily } from '../../sidecar/series/family.ts';
import { counting, eventsOf, startAuthored } from '../support/author.ts';
import { eventually } from '../support/eventually.ts';
import { heldBy, remaining } from '../support/kernel.ts';
import { output } from '../support/pod.ts';
import { writing } from '../support/work.ts';

const rawWrites = `
SEC("raw_tp/sys_enter") int writes(struct bpf_raw_tracepoint_args *ctx) {
    if (ctx->args[1] == __NR_write)
        increment();
    return 0;
}`;

/** Makes n connections and sends n datagrams over loopback, with n + 3 sockets that are not accepted ones. */
const network = `
import socket, sys
n = int(sys.argv[1])
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(n)
for _ in range(n):
    client = socket.socket()
    client.connect(listener.getsockname())
    listener.accept()[0].close()
    client.close()
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(('127.0.0.1', 0))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(n):
    sender.sendto(b'x', receiver.getsockname())
    receiver.recv(1)
`;

const networking = (n: number) => ['python3', '-c', network, String(n)];

/** What counts the UDP packets of a hook, and lets all packets pass. */
const datagrams = (section: string) => `
SEC("${section}") int packets(struct __sk_buff *skb) {
    __u8 protocol = 0;
    if (!bpf_skb_load_bytes(skb, 9, &protocol, 1) && protocol == 17)
        increment();
    return 1;
}`;

describe('a probe', () => {
  let sandbox: Sandbox;
  let other: Sandbox;
  let pod: PodCgroup;
  let web: Container;
  let sidecar: Container;
  let outsider: Container;
  let containers: Containers;
  let context: ProbeContext;
  const tracefs = '/sys/kernel/tracing';
  const hadTracefs = existsSync(`${tracefs}/events`);

  before(async () => {
    sandbox = await createSandbox();
    other = await createSandbox();
    web = sandbox.addContainer('web');
    sidecar = sandbox.addContainer('bpf-sidecar');
    outsider = other.addContainer('web');
    pod = placeOf(sandbox, sidecar);
    containers = createContainers(pod.path, sandbox.containerLogs, sandbox);
    containers.refresh();
    context = {
      containerName: containers.nameOf,
      ...lasting,
      wantsContainer: () => true,
      generation: containers.generation,
    };
  });
  after(async () => {
    await sandbox.destroy();
    await other.destroy();
    if (!hadTracefs) spawnSync('umount', [tracefs]);
  });

  const start = (code: string, yaml?: string) => startAuthored(code, pod, yaml, context);

  /** The same work, in other amounts, in the sidecar, in another pod and in no pod. */
  async function workElsewhere(work: (n: number) => string[]): Promise<void> {
    const [command, ...args] = work(13);
    const outside = spawn(command!, args, { stdio: 'ignore' });
    await Promise.all([output(sidecar, ...work(5)), output(outsider, ...work(11)), once(outside, 'exit')]);
  }

  for (const [section, program, work, expected] of [
    ['raw_tp', rawWrites, writing, (n) => n],
    [
      'tracepoint',
      'SEC("tracepoint/syscalls/sys_enter_write") int writes(void *ctx) { increment(); return 0; }',
      writing,
      (n) => n,
    ],
    [
      'tp_btf',
      `SEC("tp_btf/sys_enter") int writes(__u64 *ctx) {
         if (ctx[1] == __NR_write)
             increment();
         return 0;
       }`,
      writing,
      (n) => n,
    ],
    ['cgroup_skb/egress', datagrams('cgroup_skb/egress'), networking, (n) => n],
    ['cgroup_skb/ingress', datagrams('cgroup_skb/ingress'), networking, (n) => n],
    [
      'sockops',
      `SEC("sockops") int established(struct bpf_sock_ops *ctx) {
         if (ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
             increment();
         return 1;
       }`,
      networking,
      (n) => 2 * n,
    ],
    [
      'cgroup/connect4',
      'SEC("cgroup/connect4") int connect(struct bpf_sock_addr *ctx) { increment(); return 1; }',
      networking,
      (n) => n,
    ],
    [
      'cgroup/sock_create',
      'SEC("cgroup/sock_create") int create(struct bpf_sock *ctx) { increment(); return 1; }',
      networking,
      (n) => n + 3,
    ],
  ] as const satisfies [string, string, (n: number) => string[], (n: number) => number][])
    test(`of kind ${section} counts the events of its pod, and no others`, async (t) => {
      const probe = await start(counting(program));
      t.after(() => probe.close());
      if (cannotAttach(t, probe)) return;
      await Promise.all([workElsewhere(work), output(web, ...work(7))]);
      assert.equal(eventsOf(probe), expected(7));
    });

  test('counts the children and the threads of a container as that container', async (t) => {
    const probe = await start(
      `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, __u64);
    __type(value, __u64);
} calls_total SEC(".maps");

SEC("raw_tp/sys_enter") int calls(struct bpf_raw_tracepoint_args *ctx) {
    __u64 id = bpf_get_current_cgroup_id(), zero = 0, *count;
    if (ctx->args[1] != __NR_getpriority)
        return 0;
    bpf_map_update_elem(&calls_total, &id, &zero, BPF_NOEXIST);
    count = bpf_map_lookup_elem(&calls_total, &id);
    if (count)
        __sync_fetch_and_add(count, 1);
    return 0;
}`,
      `metrics:
  counters:
    - name: calls_total
      labels: [{ name: container, size: 8, decoders: [{ name: cgroup }] }]`,
    );
    t.after(() => probe.close());
    if (cannotAttach(t, probe)) return;
    const worker = sandbox.addContainer('worker');
    containers.refresh();
    const family = `
import os, threading
def work():
    for _ in range(100): os.getpriority(os.PRIO_PROCESS, 0)
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            work()
        else:
            os.wait()
        os._exit(0)
for _ in range(3): os.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
`;
    await Promise.all([output(web, 'python3', '-c', family), output(worker, 'python3', '-c', family)]);
    const [calls] = probe.read();
    assert.deepEqual([...(calls as ScalarFamily).series].map(({ labels, value }) => [labels, value]).sort(), [
      ['container="web"', 700],
      ['container="worker"', 700],
    ]);
  });

  test('that cannot start leaves nothing behind and another at work', async (t) => {
    const probe = await start(counting(rawWrites));
    t.after(() => probe.close());
    const held = heldBy('self');
    const labels = (size: number) =>
      `metrics: { counters: [{ name: events_total, labels: [{ name: cpu, size: ${size}, decoders: [{ name: uint }] }] }] }`;
    const map = 'metrics: { counters: [{ name: lost_total, labels: [] }] }';
    const member = 'metrics: { counters: [{ name: events_total, value: calls, labels: [] }] }';
    for (const [code, yaml, reason] of [
      [rawWrites, map, /^object mine has no map lost_total; it has events_total$/],
      [rawWrites, member, /^map events_total of object mine has no value member calls; it has none$/],
      [rawWrites, labels(8), /^metric bpf_events_total: the labels cover 8 bytes, but a key .* has 4; /],
    ] as const) {
      await assert.rejects(start(counting(code), yaml), { message: reason });
      assert.deepEqual(heldBy('self'), held);
    }
    await output(web, ...writing(7));
    assert.equal(eventsOf(probe), 7);
  });

  test('with programs that cannot be attached has the others at work', async () => {
    const held = heldBy('self');
    const probe = await start(
      counting(`${rawWrites}
SEC("sk_msg") int messages(void *ctx) { increment(); return 1; }
SEC("raw_tp/sys_exit") int astray(void *ctx) { return *(int *)8; }
SEC("raw_tp/no_such_event") int nowhere(void *ctx) { increment(); return 0; }`),
    );
    try {
      const problems = Object.fromEntries(probe.programs.map(({ name, problem }) => [name, problem]));
      assert.equal(problems.writes, undefined);
      assert.match(
        problems.messages!,
        /^program messages: SEC\("sk_msg"\) is of a kind that cannot be attached/,
      );
      assert.match(problems.astray!, /^program astray cannot be loaded: EACCES.*invalid mem access 'scalar'/);
      assert.match(
        problems.nowhere!,
        /^program nowhere cannot be attached to raw tracepoint no_such_event: ENOENT/,
      );
      await output(web, ...writing(7));
      assert.equal(eventsOf(probe), 7);
    } finally {
      probe.close();
    }
    assert.deepEqual(heldBy('self'), held);
  });

  test('that is closed counts no more and leaves nothing in the kernel', async () => {
    const before = new Set(heldBy('self'));
    const probe = await start(counting(rawWrites));
    const added = heldBy('self').filter((object) => !before.has(object));
    assert.deepEqual(remaining(added), added);
    for (const kind of ['prog', 'map', 'link'])
      assert.ok(
        added.some((object) => object.startsWith(kind)),
        kind,
      );
    probe.close();
    assert.deepEqual(new Set(heldBy('self')), before);
    await eventually(() => assert.deepEqual(remaining(added), []));
  });
});

/** Not every kernel has every hook; that one of ours fails on a hook that is there is no reason to skip. */
function cannotAttach(t: TestContext, probe: Probe): boolean {
  const problem = probe.programs.find((program) => program.problem !== undefined)?.problem;
  if (problem === undefined) return false;
  assert.match(problem, /: (ENOENT|EOPNOTSUPP|ENOTSUPP)\b/);
  t.skip(problem);
  return true;
}
