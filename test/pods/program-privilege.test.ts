import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { chownSync } from 'node:fs';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { V1Container } from '@kubernetes/client-node';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { type Capability, neededCapabilities } from '../../sidecar/contract/capabilities.ts';
import { tableAfter } from '../docs/documents.ts';
import { counting, countingSpec } from '../support/author.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { compileNative } from '../support/native.ts';
import { entrypoint, type ObservedPod, output } from '../support/pod.ts';
import { podWith } from '../support/programs.ts';
import { writing } from '../support/work.ts';

const spec = countingSpec.replace('name: events_total', 'name: mine_total, map: events_total');

const includes = `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>`;

/** A program of a user's own, and what shows that it works. */
interface Kind {
  code: string;
  yaml?: string;
  /** Beyond those for any program: what it needs, and how the sidecar says that it is not there. */
  needs: { [Name in Capability]?: RegExp | 'it only does not work' };
  /** Rejects when the program does not count what it should. */
  work(pod: ObservedPod, t: TestContext): Promise<void>;
  /** Has the sidecar tell what is missing, where it does not by itself. */
  provoke?(pod: ObservedPod, t: TestContext): void;
  /** A command that changes what is around the sidecar before it starts. */
  before?: string;
}

const mine = async (pod: ObservedPod) => (await pod.scrape()).value('bpf_mine_total');

const writes: Kind['work'] = async (pod) => {
  await output(pod.addContainer('web'), ...writing(37));
  assert.equal(await mine(pod), 37);
};

/** Each scrape is packets. */
const packets: Kind['work'] = async (pod) => {
  await pod.scrape();
  assert.ok((await mine(pod)) > 0);
};

const eperm = /^probe mine: program f\b.*: EPERM \(not permitted/m;
const unseen = /^probe mine: program f: .* the sidecar must have CAP_SYS_PTRACE .* and CAP_DAC_READ_SEARCH /m;

function runCalls(path: string, pod: ObservedPod, t: TestContext): ChildProcess {
  const child = pod.addContainer('web').spawn([path], { stdio: ['pipe', 'ignore', 'inherit'] });
  t.after(() => child.kill());
  return child;
}

const kinds: Record<string, Kind | ((t: TestContext) => Kind)> = {
  raw_tp: {
    code: counting(
      'SEC("raw_tp/sys_enter") int f(struct bpf_raw_tracepoint_args *ctx) { if (ctx->args[1] == __NR_write) increment(); return 0; }',
    ),
    needs: {},
    work: writes,
  },
  tp_btf: {
    code: counting(
      'SEC("tp_btf/sys_enter") int f(__u64 *ctx) { if (ctx[1] == __NR_write) increment(); return 0; }',
    ),
    needs: {},
    work: writes,
  },
  tracepoint: {
    code: counting('SEC("tp/syscalls/sys_enter_write") int f(void *ctx) { increment(); return 0; }'),
    needs: { SYS_ADMIN: /^probe mine: tracefs is not mounted and cannot be \(EPERM\)/m },
    work: writes,
  },
  'tracepoint where tracefs is mounted': {
    code: counting('SEC("tp/syscalls/sys_enter_write") int f(void *ctx) { increment(); return 0; }'),
    needs: {},
    work: writes,
    before: 'mount -t tracefs tracefs /sys/kernel/tracing',
  },
  perf_event: {
    code: counting('SEC("perf_event/type=1,config=2,period=1") int f(void *ctx) { increment(); return 0; }'),
    needs: {},
    async work(pod) {
      await output(pod.addContainer('web'), 'true');
      assert.ok((await mine(pod)) > 10);
    },
  },
  'iter/task': {
    code: counting('SEC("iter/task") int f(__u64 *ctx) { if (ctx[1]) increment(); return 0; }'),
    needs: {},
    async work(pod, t) {
      const child = pod.addContainer('web').spawn(['sleep', '60']);
      t.after(() => child.kill());
      await eventually(async () => assert.equal(await mine(pod), 1));
    },
  },
  cgroup: {
    code: counting('SEC("cgroup/connect4") int f(void *ctx) { increment(); return 1; }'),
    needs: { NET_ADMIN: eperm },
    async work(pod) {
      await output(
        pod.addContainer('web'),
        'bash',
        '-c',
        'for i in {1..37}; do : > /dev/udp/127.0.0.1/9; done',
      );
      assert.equal(await mine(pod), 37);
    },
  },
  'socket filter': {
    code: counting('SEC("socket") int f(void *ctx) { increment(); return 0; }'),
    needs: { NET_RAW: eperm },
    work: packets,
  },
  tc: {
    code: counting('SEC("tcx/ingress") int f(void *ctx) { increment(); return -1; }'),
    needs: { NET_ADMIN: eperm },
    work: packets,
  },
  xdp: {
    code: counting('SEC("xdp") int f(void *ctx) { increment(); return XDP_PASS; }'),
    needs: { NET_ADMIN: eperm },
    work: packets,
  },
  uprobe: (t) => {
    const path = compileNative(t, 'calls.c');
    // As in an image whose files are another user's.
    chownSync(dirname(path), 1000, 1000);
    return {
      code: counting(`SEC("uprobe/${path}:place_order") int f(void *ctx) { increment(); return 0; }`),
      needs: {
        SYS_PTRACE: unseen,
        DAC_READ_SEARCH: unseen,
        SYS_ADMIN: /^probe mine: program f: .*: EACCES \(not permitted: .*for uprobes CAP_SYS_ADMIN/m,
      },
      async work(pod, t) {
        const child = runCalls(path, pod, t);
        await eventually(async () => {
          child.stdin!.write('\n');
          const count = await mine(pod);
          assert.ok(count > 0 && count % 37 === 0);
        });
      },
      provoke: (pod, t) => void runCalls(path, pod, t),
    };
  },
  'a map in a map': {
    code: `${includes}
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } inside SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 1); __type(key, __u32); __array(values, struct inner); }
    outside SEC(".maps") = { .values = { [0] = &inside } };
SEC("tp_btf/sys_enter") int f(__u64 *ctx) {
    __u32 zero = 0;
    void *map = bpf_map_lookup_elem(&outside, &zero);
    __u64 *count = map && ctx[1] == __NR_write ? bpf_map_lookup_elem(map, &zero) : 0;
    if (count)
        __sync_fetch_and_add(count, 1);
    return 0;
}`,
    yaml: 'metrics: { counters: [{ name: mine_total, map: outside, labels: [] }] }',
    needs: { SYS_ADMIN: 'it only does not work' },
    work: writes,
  },
  'names of kernel functions': {
    code: `${includes}
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u64); __type(value, __u64); } calls SEC(".maps");
unsigned long long kaddr_schedule = 0;
SEC("tp_btf/sys_enter") int f(__u64 *ctx) {
    __u64 key = kaddr_schedule, one = 1;
    bpf_map_update_elem(&calls, &key, &one, BPF_ANY);
    return 0;
}`,
    yaml: 'metrics: { counters: [{ name: mine_total, map: calls, labels: [{ name: function, size: 8, decoders: [{ name: ksym }] }] }] }\nkaddrs: [schedule]',
    needs: { SYSLOG: /the kernel hides the address of "schedule"; .* give the sidecar CAP_SYSLOG$/m },
    async work(pod) {
      await output(pod.addContainer('web'), 'true');
      assert.equal((await pod.scrape()).value('bpf_mine_total', { function: 'schedule' }), 1);
    },
  },
};

const all = neededCapabilities([], ['mine'], 9387);
const toBeginWith = neededCapabilities([], [], 9387);

async function start(
  t: TestContext,
  { code, yaml = spec, before = 'true' }: Kind,
  names: readonly Capability[],
): Promise<ObservedPod> {
  const edit = (sidecar: V1Container) => {
    const set = names.map((name) => `,+${name.toLowerCase()}`).join('');
    const limited = ['setpriv', '--bounding-set', `-all${set}`, ...entrypoint];
    sidecar.command = ['sh', '-c', `${before} && exec "$@"`, 'sh', ...limited];
  };
  const { pod } = await podWith(t, { mine: { elf: await compileProgram(code), yaml } }, { probes: '', edit });
  return pod;
}

for (const [name, kind] of Object.entries(kinds)) {
  test(`${name}: works with the capabilities for programs, of which those that it needs are enough`, async (t) => {
    const subject = typeof kind === 'function' ? kind(t) : kind;
    const needed = Object.keys(subject.needs) as Capability[];
    assert.deepEqual(
      needed.filter((capability) => !all.includes(capability)),
      [],
    );
    const pod = await start(t, subject, [...toBeginWith, ...needed]);
    assert.equal((await request(pod.url('/readyz'))).text, 'every probe is attached\n');
    await subject.work(pod, t);
  });

  if (typeof kind === 'object' && Object.keys(kind.needs).length === 0) continue;
  test(`${name}: does not work without any one of them`, async (t) => {
    const subject = typeof kind === 'function' ? kind(t) : kind;
    for (const [missing, told] of Object.entries(subject.needs)) {
      // Not with all others: SYS_ADMIN stands for some of them.
      const left = Object.keys(subject.needs).filter((capability) => capability !== missing);
      const pod = await start(t, subject, [...toBeginWith, ...(left as Capability[])]);
      if (told instanceof RegExp) {
        subject.provoke?.(pod, t);
        await eventually(async () => assert.match((await request(pod.url('/readyz'))).text, told));
      } else await assert.rejects(subject.work(pod, t));
      await pod.stop();
    }
  });
}

const needsOf = (kind: Kind | ((t: TestContext) => Kind), t: TestContext) =>
  Object.keys((typeof kind === 'function' ? kind(t) : kind).needs);

test('each capability for programs is needed by some kind of program', (t) => {
  const needs = Object.values(kinds).flatMap((kind) => needsOf(kind, t));
  assert.deepEqual([...new Set([...toBeginWith, ...needs])].sort(), [...all].sort());
});

test('the security document tells what each kind of program needs', (t) => {
  const rows = tableAfter('docs/security.md', 'What each kind needs');
  assert.deepEqual(
    rows,
    Object.entries(kinds).map(([name, kind]) => [name, needsOf(kind, t).join(', ') || 'nothing']),
  );
});
