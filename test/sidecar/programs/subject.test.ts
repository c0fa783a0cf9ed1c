import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Container } from '../../../scripts/node/sandbox.ts';
import { functionSubjectOf, subjectOf, tracepointSubject } from '../../../sidecar/programs/subject.ts';
import { counting, countingSpec, eventsOf, startAuthored } from '../../support/author.ts';
import { type BarePods, makeBarePods } from '../../support/bare-pod.ts';
import { eventually } from '../../support/eventually.ts';
import { output } from '../../support/pod.ts';
import { exactInSomeRound } from '../../support/rounds.ts';

const byPacket =
  'it misses packets that have no socket: most on their way in, and answers of the kernel itself';
const byCurrentTask =
  'it counts by the task that is current, and where an event comes in an interrupt or in a thread of the kernel that is not the one it is about';

describe('the subject of a tracepoint', () => {
  for (const [name, structs, expected] of [
    ['sys_enter', ['pt_regs', undefined], { kind: 'current' }],
    ['page_fault_user', [undefined, 'pt_regs', undefined], { kind: 'current' }],
    ['sys_enter_write', undefined, { kind: 'current' }],
    ['sched_wakeup', ['task_struct'], { kind: 'task', tasks: [0] }],
    ['sched_switch', [undefined, 'task_struct', 'task_struct', undefined], { kind: 'task', tasks: [1, 2] }],
    ['signal_generate', [undefined, 'kernel_siginfo', 'task_struct'], { kind: 'task', tasks: [2] }],
    ['tcp_retransmit_skb', ['sock', 'sk_buff'], { kind: 'sock', sock: 0, skb: 1 }],
    ['kfree_skb', ['sk_buff', undefined, undefined, 'sock'], { kind: 'sock', sock: 3, skb: 0 }],
    [
      'qdisc_dequeue',
      ['Qdisc', 'netdev_queue', undefined, 'sk_buff'],
      { kind: 'sock', skb: 3, remark: byPacket },
    ],
    ['skb_copy_datagram_iovec', ['sk_buff', undefined], { kind: 'current' }],
    ['sched_process_exec', ['task_struct', undefined, 'linux_binprm'], { kind: 'task', tasks: [0] }],
    ['sched_process_wait', ['pid'], { kind: 'current' }],
    ['ext4_sync_file_enter', ['file', undefined], { kind: 'current' }],
    ['kmalloc', [undefined, undefined], { kind: 'current', remark: byCurrentTask }],
    ['of_a_module', undefined, { kind: 'current', remark: byCurrentTask }],
    ['block_rq_issue', ['request'], { kind: 'block', request: 0 }],
    ['block_bio_queue', ['bio'], { kind: 'block', bio: 0 }],
    ['net_dev_xmit', ['sk_buff', undefined, 'net_device'], { kind: 'sock', skb: 0, remark: byPacket }],
  ] as const)
    test(`${name}: ${expected.kind}`, () => {
      assert.deepEqual(
        subjectOf(name, () => structs && [...structs]),
        expected,
      );
    });

  for (const name of [
    'softirq_entry',
    'irq_handler_entry',
    'timer_start',
    'hrtimer_expire_entry',
    'mm_page_alloc',
  ])
    test(`${name}: none, which is an error`, () => {
      assert.throws(() => subjectOf(name, () => []), {
        message: `tracepoint ${name} has no subject: its events belong to no task or socket, and so to no pod`,
      });
    });

  test('none where packets have no socket yet, nor where a request has no bio left', () => {
    const structs: Record<string, string> = { block_io_done: 'request' };
    for (const [name, reason] of [
      ['netif_receive_skb', /packets have no socket yet where it is, and so no pod; write SEC/],
      ['napi_gro_receive_entry', /packets have no socket yet where it is/],
      ['netif_rx_exit', /packets have no socket yet where it is/],
      ['block_io_done', /its request has no bio left, which tells the pod; use block_rq_complete$/],
    ] as const)
      assert.throws(() => tracepointSubject({}, name, () => [structs[name] ?? 'sk_buff']), reason);
  });

  test('an error where it is beyond what dispatchers look at', () => {
    const structs = [undefined, undefined, undefined, undefined, 'task_struct'];
    assert.throws(() => subjectOf('far', () => structs), {
      message:
        'tracepoint far is about the struct task_struct of its argument 4, and dispatchers look at the first ones only',
    });
  });
});

describe('the subject of a function of the kernel', () => {
  for (const [name, structs, expected] of [
    ['vfs_write', ['file', undefined], { kind: 'current' }],
    ['__x64_sys_write', ['pt_regs'], { kind: 'current' }],
    ['blk_update_request', ['request'], { kind: 'current', remark: byCurrentTask }],
    ['wake_up_process', ['task_struct'], { kind: 'current', remark: byCurrentTask }],
    ['tcp_sendmsg', ['sock', 'msghdr'], { kind: 'sock', sock: 0 }],
    ['tcp_v4_do_rcv', ['sock', 'sk_buff'], { kind: 'sock', sock: 0, skb: 1 }],
    ['ip_rcv', ['sk_buff', 'net_device'], { kind: 'sock', skb: 0, remark: byPacket }],
  ] as const)
    test(`${name}: ${expected.kind}`, () => assert.deepEqual(functionSubjectOf(name, structs), expected));
});

/** Sleeps 200 times for each line that it reads, and answers. */
const sleeper = `
import sys, time
for line in sys.stdin:
    for _ in range(200): time.sleep(0.0005)
    print('slept', flush=True)
`;

/** Connects and disconnects as often as is said. */
const clients = `
import socket, sys
for _ in range(int(sys.argv[3])):
    with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
        while connection.recv(100): pass
`;

/** Sends as many datagrams as is said, through a queue that none of them goes past. */
const datagrams = `
device=$(ip route | awk '/default/ {printf $5}') gateway=$(ip route | awk '/default/ {printf $3}')
tc qdisc replace dev $device root tbf rate 100mbit burst 10k latency 100ms
python3 -c '
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])): sender.sendto(b"x", (sys.argv[1], 9))' $gateway $0`;

describe('a program of an author who knows of no pod', () => {
  let bare: BarePods;
  before(async () => {
    bare = await makeBarePods({ network: true });
  });
  after(() => bare.destroy());

  // Typed arguments, and those that are plain numbers to the verifier.
  for (const kind of ['tp_btf', 'raw_tp']) {
    test(`counts the wake-ups of the pod by ${kind}, in timer interrupts where anybody is current`, async (t) => {
      const probe = await startAuthored(
        counting(`SEC("${kind}/sched_wakeup") int wakeup(__u64 *ctx) { increment(); return 0; }`),
        bare.pod,
      );
      t.after(() => probe.close());
      assert.deepEqual(
        probe.programs.map(({ problem }) => problem),
        [undefined],
      );
      const start = (container: Container) =>
        container.spawn(['python3', '-uc', sleeper], { stdio: ['pipe', 'pipe', 'inherit'] });
      const sleep = async (child: ChildProcess) => {
        child.stdin!.write('\n');
        await once(child.stdout!, 'data');
      };
      const inside = start(bare.web);
      const outside = start(bare.outsider);
      t.after(() => {
        inside.kill();
        outside.kill();
      });
      await sleep(inside);
      await sleep(outside);
      const before = eventsOf(probe)!;
      await sleep(outside);
      assert.equal(eventsOf(probe), before, 'wake-ups of another pod');
      await exactInSomeRound(async () => {
        const start = eventsOf(probe)!;
        await sleep(inside);
        // 200 by timers, and one by the line that it waited for.
        assert.equal(eventsOf(probe), start + 201);
      });
    });

    test(`counts connections by the socket's pod by ${kind}, though soft interrupts establish them`, async (t) => {
      const probe = await startAuthored(
        counting(`
SEC("${kind}/inet_sock_set_state") int state(__u64 *ctx) {
    if ((int)ctx[2] == 1)
        increment();
    return 0;
}`),
        bare.pod,
      );
      t.after(() => probe.close());
      const server = createServer((socket) => socket.end());
      server.listen(0);
      await once(server, 'listening');
      t.after(() => server.close());
      const { port } = server.address() as { port: number };
      const connect = async (container: Container, times: number) => {
        const gateway = await output(container, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
        await output(container, 'python3', '-c', clients, gateway, String(port), String(times));
      };
      await connect(bare.web, 37);
      await connect(bare.outsider, 11);
      assert.equal(eventsOf(probe), 37, 'the sockets of the pod, not the server outside nor the other pod');
    });

    test(`counts no block request by ${kind} that is charged to a cgroup of another hierarchy`, async (t) => {
      const probe = await startAuthored(
        counting(`SEC("${kind}/block_rq_issue") int issue(__u64 *ctx) { increment(); return 0; }`),
        bare.pod,
      );
      t.after(() => probe.close());
      assert.deepEqual(
        probe.programs.map(({ problem }) => problem),
        [undefined],
      );
      if (/^blkio\t0\t/m.test(readFileSync('/proc/cgroups', 'utf8')))
        return t.skip('block I/O is charged to cgroup v2 on this machine');
      await output(
        bare.web,
        'sh',
        '-c',
        'f=$(mktemp) && dd if=/dev/zero of=$f bs=4k count=8 oflag=direct 2>&1; rm $f',
      );
      assert.equal(eventsOf(probe), 0);
    });
  }

  test('counts signals that come to the pod, not those that it sends', async () => {
    const probe = await startAuthored(
      counting(`
SEC("tp_btf/signal_generate") int signal(__u64 *ctx) {
    if ((int)ctx[0] == 10)
        increment();
    return 0;
}`),
      bare.pod,
    );
    after(() => probe.close());
    const ready =
      'import signal, sys\nsignal.signal(signal.SIGUSR1, lambda *_: None)\nprint("ready", flush=True)\nsys.stdin.read()';
    const target = bare.web.spawn(['python3', '-c', ready], { stdio: ['pipe', 'pipe', 'inherit'] });
    const bystander = spawn('python3', ['-c', ready], { stdio: ['pipe', 'pipe', 'inherit'] });
    await Promise.all([once(target.stdout!, 'data'), once(bystander.stdout!, 'data')]);
    for (let i = 0; i < 23; i++) process.kill(target.pid!, 'SIGUSR1');
    await output(bare.web, 'sh', '-c', `for i in 1 2 3 4 5; do kill -USR1 ${bystander.pid}; done`);
    await eventually(() => assert.equal(eventsOf(probe), 23));
    for (const child of [target, bystander]) {
      child.stdin!.end();
      await once(child, 'exit');
    }
  });

  test('is refused on a hook without a subject, with the reason', async () => {
    const probe = await startAuthored(
      counting('SEC("tp_btf/softirq_entry") int softirq(__u64 *ctx) { increment(); return 0; }'),
      bare.pod,
    );
    after(() => probe.close());
    assert.match(probe.programs[0]!.problem!, /softirq_entry has no subject/);
  });

  test('is told to use the raw arguments where the subject is one of them', async () => {
    const probe = await startAuthored(
      counting('SEC("tp/sched/sched_wakeup") int wakeup(void *ctx) { increment(); return 0; }'),
      bare.pod,
    );
    after(() => probe.close());
    assert.equal(
      probe.programs[0]!.problem,
      'program wakeup: the events of tracepoint sched_wakeup are about a task that only its raw arguments tell, not the current task; write SEC("tp_btf/sched_wakeup")',
    );
  });

  test('counts the packets that a queue lets go, which are its last argument', async (t) => {
    const probe = await startAuthored(
      counting('SEC("tp_btf/qdisc_dequeue") int dequeued(__u64 *ctx) { increment(); return 0; }'),
      bare.pod,
    );
    t.after(() => probe.close());
    const [{ problem, remark } = {}] = probe.programs;
    assert.deepEqual([problem, remark], [undefined, byPacket]);
    const send = (container: Container, times: number) =>
      output(container, 'sh', '-c', datagrams, String(times));
    await send(bare.web, 37);
    await send(bare.outsider, 11);
    assert.equal(eventsOf(probe), 37);
  });

  test('is refused where it may write, which the kernel lets no dispatcher call', async (t) => {
    const code = counting('SEC("raw_tp.w/sys_enter") int f(__u64 *ctx) { increment(); return 0; }');
    const refused = await startAuthored(code, bare.pod);
    t.after(() => refused.close());
    assert.equal(
      refused.programs[0]!.problem,
      'program f: SEC("raw_tp.w/sys_enter") may write, and the kernel lets no dispatcher call such programs; write it without .w, or give it the subject node',
    );
    const allowed = await startAuthored(
      code,
      { ...bare.pod, mayObserveNode: true },
      `${countingSpec}\nprograms: [{ name: f, subject: node }]`,
    );
    t.after(() => allowed.close());
    assert.equal(allowed.programs[0]!.problem, undefined);
    await output(bare.outsider, 'true');
    assert.ok(eventsOf(allowed)! > 0);
  });

  test('is attached where one of the tasks may be missing', async (t) => {
    const hooks = ['sched_pi_setprio', 'sched_stick_numa', 'sched_swap_numa'];
    const probe = await startAuthored(
      counting(
        hooks
          .map((hook) => `SEC("tp_btf/${hook}") int on_${hook}(void *ctx) { increment(); return 0; }`)
          .join('\n'),
      ),
      bare.pod,
    );
    t.after(() => probe.close());
    assert.deepEqual(
      probe.programs.map(({ problem }) => problem),
      [undefined, undefined, undefined],
    );
  });

  describe('whose spec names the subject', () => {
    const wakeup = counting('SEC("tp_btf/sched_wakeup") int wakeup(__u64 *ctx) { increment(); return 0; }');
    const spec = (subject: string, program = 'wakeup') =>
      `${countingSpec}\nprograms: [{ name: ${program}, subject: ${subject} }]`;
    /** Two processes on one CPU, of which each wakes the other up a hundred times, in its own context therefore. */
    const waker = `
import os, subprocess
os.sched_setaffinity(0, {0})
child = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for _ in range(100):
    child.stdin.write(b'x'); child.stdin.flush(); child.stdout.read(1)
child.stdin.close()`;

    test('counts by that', async (t) => {
      const byTask = await startAuthored(wakeup, bare.pod, spec('arg0'));
      t.after(() => byTask.close());
      const byCurrent = await startAuthored(wakeup, bare.pod, spec('current'));
      t.after(() => byCurrent.close());
      for (const { programs } of [byTask, byCurrent])
        assert.deepEqual(
          programs.map(({ problem }) => problem),
          [undefined],
        );
      await output(bare.outsider, 'python3', '-c', waker);
      assert.deepEqual([eventsOf(byTask), eventsOf(byCurrent)], [0, 0]);
      await output(bare.web, 'python3', '-c', waker);
      // Each of the two wakes the other up.
      assert.ok(eventsOf(byTask)! >= 100 && eventsOf(byCurrent)! >= 100);
    });

    test('sees the whole node only when the administrator allows it', async (t) => {
      const refused = await startAuthored(wakeup, bare.pod, spec('node'));
      t.after(() => refused.close());
      assert.match(
        refused.programs[0]!.problem!,
        /^program wakeup: its subject is node, and the administrator does not let programs of this pod run for the whole node \(--allow-node-wide of the webhook\)$/,
      );
      const allowed = await startAuthored(wakeup, { ...bare.pod, mayObserveNode: true }, spec('node'));
      t.after(() => allowed.close());
      await output(bare.outsider, 'python3', '-c', waker);
      assert.ok(eventsOf(allowed)! >= 100);
    });

    test('is told when there is no such subject, or no such program', async (t) => {
      for (const [subject, code, reason] of [
        [
          'arg1',
          wakeup,
          /^the subject cannot be arg1, which is no pointer to a struct: it must be one of the first arguments/,
        ],
        [
          'arg2',
          counting('SEC("tp_btf/net_dev_xmit") int wakeup(__u64 *ctx) { increment(); return 0; }'),
          /^the subject cannot be arg2, which is a struct net_device: /,
        ],
        [
          'node',
          counting('SEC("cgroup_skb/egress") int wakeup(void *ctx) { increment(); return 1; }'),
          /^program wakeup: the subject of SEC\("cgroup_skb\/egress"\) cannot be node: there is no choice, take it out of the spec$/,
        ],
        ...[
          'usdt/sh:shop:order',
          'perf_event/type=1,config=0,period=1000',
          'cgroup/dev',
          'sockops',
          'iter/task',
          'iter/udp',
          'socket',
          'tc',
          'xdp',
        ].map(
          (section) =>
            [
              'current',
              counting(`SEC("${section}") int wakeup(void *ctx) { increment(); return 0; }`),
              /^program wakeup: the subject of SEC\(".*"\) cannot be current: there is no choice, take it out of the spec$/,
            ] as const,
        ),
        ...['tp/sched/sched_wakeup', 'kprobe.multi/vfs_*', 'uprobe/sh:main', 'uprobe.multi/sh:main'].map(
          (section) =>
            [
              'arg0',
              counting(`SEC("${section}") int wakeup(void *ctx) { increment(); return 0; }`),
              /^program wakeup: the subject of SEC\(".*"\) cannot be arg0: it may be current or node$/,
            ] as const,
        ),
      ] as const) {
        const probe = await startAuthored(code, { ...bare.pod, mayObserveNode: true }, spec(subject));
        t.after(() => probe.close());
        assert.match(probe.programs[0]!.problem!, reason);
      }
      await assert.rejects(startAuthored(wakeup, bare.pod, spec('current', 'sleeps')), {
        message: 'object mine has no program sleeps; it has wakeup',
      });
    });
  });
});
