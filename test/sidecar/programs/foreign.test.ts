import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { counting, eventsOf, startAuthored } from '../../support/author.ts';
import { type BarePod, makeBarePod } from '../../support/bare-pod.ts';
import { pinned } from '../../support/bpffs.ts';
import { formatPod } from '../../support/place.ts';
import { output } from '../../support/pod.ts';

/** Each counts the pod's calls of getpriority, as often as is said, in a way that could trip a dispatcher. */
const objects: [name: string, perCall: number, programs: string][] = [
  [
    'several programs in one section',
    2,
    `SEC("tp_btf/sys_enter") int first(__u64 *ctx) { if (ctx[1] == __NR_getpriority) increment(); return 0; }
     SEC("tp_btf/sys_enter") int second(__u64 *ctx) { if (ctx[1] == __NR_getpriority) increment(); return 0; }`,
  ],
  [
    'static and global subprograms',
    3,
    `static __attribute__((noinline)) int twice(__u64 call) { increment(); increment(); return call > 0; }
     __attribute__((noinline)) int once(__u64 call) { increment(); return call > 0; }
     SEC("tp_btf/sys_enter") int calls(__u64 *ctx) {
         return ctx[1] == __NR_getpriority ? twice(ctx[1]) + once(ctx[1]) : 0;
     }`,
  ],
  [
    'a callback',
    5,
    `static long each(__u32 index, void *unused) { increment(); return 0; }
     SEC("tp_btf/sys_enter") int loops(__u64 *ctx) {
         if (ctx[1] == __NR_getpriority)
             bpf_loop(5, each, NULL, 0);
         return 0;
     }`,
  ],
  [
    'globals of every kind',
    7,
    `const volatile __u64 wanted = __NR_getpriority;
     int times = 7;
     __u64 seen;
     SEC("tp_btf/sys_enter") int globals(__u64 *ctx) {
         if (ctx[1] != wanted)
             return 0;
         __sync_fetch_and_add(&seen, 1);
         for (int i = 0; i < 16 && i < times && seen; i++)
             increment();
         return 0;
     }`,
  ],
  [
    'CO-RE relocations',
    1,
    `struct task_struct { int tgid; int pid; } __attribute__((preserve_access_index));
     SEC("tp_btf/sys_enter") int relocated(__u64 *ctx) {
         struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
         if (ctx[1] == __NR_getpriority && task->tgid == task->pid)
             increment();
         return 0;
     }`,
  ],
  [
    // The target is a program like any other, so it is attached as well: once by itself, once by the tail call.
    'tail calls of its own',
    2,
    `int target(__u64 *ctx);
     struct {
         __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
         __uint(max_entries, 1);
         __uint(key_size, 4);
         __array(values, int(__u64 *));
     } jumps SEC(".maps") = { .values = { [0] = &target } };
     SEC("tp_btf/sys_enter") int target(__u64 *ctx) {
         if (ctx[1] == __NR_getpriority)
             increment();
         return 0;
     }
     SEC("tp_btf/sys_enter") int jumper(__u64 *ctx) { bpf_tail_call(ctx, &jumps, 0); return 0; }`,
  ],
  [
    'raw arguments',
    1,
    `SEC("raw_tp/sys_enter") int raw(struct bpf_raw_tracepoint_args *ctx) {
         if (ctx->args[1] == __NR_getpriority)
             increment();
         return 0;
     }`,
  ],
];

const pinning = `struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
    __type(key, __u32);
    __type(value, __u64);
} seen SEC(".maps");
SEC("tp_btf/sys_enter") int f(__u64 *ctx) {
    __u32 key = ctx[1];
    __u64 one = 1;
    if (key == __NR_getpriority && !bpf_map_lookup_elem(&seen, &key)) {
        bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
        increment();
    }
    return 0;
}`;

const script = join(import.meta.dirname, '../../support/sharing-process.ts');
const calls = ['python3', '-c', 'import os\nfor _ in range(23): os.getpriority(0, 0)'];

describe('an object of another author, loaded unchanged', () => {
  let bare: BarePod;
  before(async () => {
    bare = await makeBarePod();
  });
  after(() => bare.destroy());

  for (const [name, perCall, programs] of objects)
    test(`with ${name} counts its pod exactly`, async (t) => {
      const probe = await startAuthored(counting(programs), bare.pod);
      t.after(() => probe.close());
      assert.deepEqual(
        probe.programs.flatMap(({ problem }) => problem ?? []),
        [],
      );
      await output(bare.sidecar, ...calls);
      assert.equal(eventsOf(probe), 0, 'the sidecar itself');
      await output(bare.web, ...calls);
      assert.equal(eventsOf(probe), 23 * perCall);
    });

  test('that pins a map by name has it for itself, and nothing is pinned', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-object-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const object = join(directory, 'program.bpf.o');
    writeFileSync(object, await compileProgram(counting(pinning)));
    const sharing = [process.execPath, script, object, '/nowhere', formatPod(bare.pod), '/none'];
    // Where libbpf would pin it, and where it could not.
    for (const mount of ['mount -t bpf bpf /sys/fs/bpf', 'true']) {
      // What the machine itself has there, such as the directories of iproute2.
      const before = mount === 'true' ? pinned('/sys/fs/bpf') : [];
      const child = spawn('unshare', ['--mount', 'sh', '-c', `${mount} && exec "$@"`, 'sh', ...sharing], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      t.after(() => child.kill());
      const lines = createInterface({ input: child.stdout });
      assert.deepEqual(await once(lines, 'line'), ['attached']);
      await output(bare.web, ...calls);
      child.stdin.write('\n');
      assert.deepEqual(await once(lines, 'line'), ['1'], 'the first of the calls');
      assert.deepEqual(pinned(`/proc/${child.pid}/root/sys/fs/bpf`), before);
      child.stdin.end();
      await once(child, 'exit');
    }
  });
});
