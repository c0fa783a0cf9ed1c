import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { counting, eventsOf, startAuthored } from '../../../support/author.ts';
import { type BarePod, makeBarePod } from '../../../support/bare-pod.ts';
import { output } from '../../../support/pod.ts';
import { writing } from '../../../support/work.ts';

/** A program that always works, to see that it does beside one that does not. */
const working = `
SEC("tp_btf/sys_enter") int writes(__u64 *ctx) { if (ctx[1] == __NR_write) increment(); return 0; }`;

describe('beside a program that cannot run the others do', () => {
  let bare: BarePod;
  before(async () => {
    bare = await makeBarePod();
  });
  after(() => bare.destroy());

  /** Starts the program beside one that works, and gives its problem. */
  async function problemOf(code: string): Promise<string | undefined> {
    const probe = await startAuthored(counting(code + working), bare.pod);
    try {
      const states = Object.fromEntries(probe.programs.map(({ name, problem }) => [name, problem]));
      assert.equal(states.writes, undefined);
      const before = eventsOf(probe)!;
      await output(bare.web, ...writing(37));
      assert.equal(eventsOf(probe)! - before, 37);
      return states.f;
    } finally {
      probe.close();
    }
  }

  for (const [name, code, expected] of [
    [
      'the verifier refuses',
      'SEC("tp_btf/sys_enter") int f(__u64 *ctx) { return *(int *)(ctx[1] + 4); }',
      /^program f cannot be loaded: EACCES; the kernel and libbpf say: R\d invalid mem access 'scalar'$/,
    ],
    [
      'has a tracepoint that is not there',
      'SEC("tp_btf/no_such_thing") int f(__u64 *ctx) { return 0; }',
      /^program f cannot be loaded: ESRCH; the kernel and libbpf say: .*no_such_thing/,
    ],
    [
      'has a raw tracepoint that is not there',
      'SEC("raw_tp/no_such_thing") int f(__u64 *ctx) { return 0; }',
      /^program f cannot be attached to raw tracepoint no_such_thing: ENOENT/,
    ],
    [
      'has a static tracepoint that is not there',
      'SEC("tp/syscalls/no_such_thing") int f(__u64 *ctx) { return 0; }',
      /^program f: this kernel has no tracepoint syscalls\/no_such_thing$/,
    ],
    [
      'may sleep',
      'SEC("lsm.s/file_open") int f(__u64 *ctx) { return 0; }',
      /^program f: SEC\("lsm.s\/file_open"\) may sleep, and the kernel lets no dispatcher call such programs; write it without .s$/,
    ],
    [
      'is of no kind',
      'SEC("whatever/it/is") int f(__u64 *ctx) { return 0; }',
      /^program f: SEC\("whatever\/it\/is"\) is of a kind that cannot be attached/,
    ],
    [
      'changes what a function returns',
      'SEC("fmod_ret/__x64_sys_getpid") int f(__u64 *ctx) { return 0; }',
      /^program f: SEC\("fmod_ret\/__x64_sys_getpid"\) is of a kind that cannot be attached/,
    ],
    [
      'iterates over what belongs to nobody',
      'SEC("iter/bpf_prog") int f(void *ctx) { return 0; }',
      /^program f: SEC\("iter\/bpf_prog"\) is of a kind that cannot be attached/,
    ],
  ] as const)
    test(`one that ${name}`, async () => assert.match((await problemOf(code)) ?? 'no problem', expected));

  /** What this kernel may lack: the reason is clear then. Whether they count rightly is for a kernel that has them. */
  for (const [section, context, missing] of [
    ['kprobe/vfs_write', 'void', /^program f: this kernel has no kprobes \(CONFIG_KPROBE_EVENTS\)$/],
    ['kretprobe/vfs_write', 'void', /^program f: this kernel has no kprobes \(CONFIG_KPROBE_EVENTS\)$/],
    ['ksyscall/write', 'void', /^program f: this kernel has no kprobes \(CONFIG_KPROBE_EVENTS\)$/],
    ['kprobe.multi/vfs_w*', 'void', /^program f cannot be attached to kernel functions vfs_w\*: [A-Z]+/],
    ['fentry/vfs_write', '__u64', /^program f cannot be (loaded|attached).*: [A-Z]+/],
    ['fexit/vfs_write', '__u64', /^program f cannot be (loaded|attached).*: [A-Z]+/],
    ['lsm/file_open', '__u64', /^program f cannot be (loaded|attached).*: [A-Z]+/],
    ['lsm_cgroup/socket_bind', '__u64', /^program f cannot be (loaded|attached).*: [A-Z]+/],
  ] as const)
    test(`one on ${section}, which this kernel may lack`, async (t) => {
      const value = section.startsWith('lsm_cgroup') ? 1 : 0;
      const problem = await problemOf(`SEC("${section}") int f(${context} *ctx) { return ${value}; }`);
      if (problem === undefined) return;
      assert.match(problem, missing);
      t.diagnostic(`this kernel lacks it: ${problem}`);
    });

  test('an optional program, whose section begins with ?, is left out without a word', async () => {
    const probe = await startAuthored(
      counting(`SEC("?tp_btf/no_such_thing") int f(__u64 *ctx) { return 0; }${working}`),
      bare.pod,
    );
    assert.deepEqual(
      probe.programs.map(({ name }) => name),
      ['writes'],
    );
    probe.close();
  });
});
