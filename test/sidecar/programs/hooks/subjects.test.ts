import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { compileProgram } from '../../../../scripts/bpf/compile-program.ts';
import type { Probe } from '../../../../sidecar/probe.ts';
import { counting, eventsOf } from '../../../support/author.ts';
import { bpffsFor, pinned } from '../../../support/bpffs.ts';
import { eventually } from '../../../support/eventually.ts';
import { type Member, memberOf, start, stop } from '../../../support/members.ts';
import { output } from '../../../support/pod.ts';

const qos = ['guaranteed', 'burstable', 'besteffort'] as const;

interface Observed {
  member: Member;
  probe: Probe;
}

/** Ten pods with a program on a hook, for which there is one dispatcher. */
async function tenPods(t: TestContext, program: string, hook: string) {
  const bpffs = bpffsFor(t);
  const elf = await compileProgram(counting(program));
  const observed: Observed[] = [];
  for (let i = 0; i < 10; i++) {
    const member = await memberOf(t, bpffs, { qos: qos[i % 3]! });
    observed.push({ member, probe: await start(t, member, elf) });
  }
  const hooks = join(bpffs, 'bpf-sidecar/v2');
  assert.deepEqual(readdirSync(hooks), [hook]);
  assert.deepEqual(readdirSync(join(hooks, hook)), ['0']);
  const stopAll = async () => {
    for (const { member, probe } of observed) await stop(member, probe);
    assert.deepEqual(pinned(bpffs), []);
  };
  return { observed, stopAll };
}

const sleeping = [
  'python3',
  '-c',
  'import signal, sys\nsignal.signal(signal.SIGUSR1, lambda *_: None)\nprint("ready", flush=True)\nsys.stdin.read()',
];

test('ten pods share the dispatcher of a task among the arguments, and each counts what comes to its own tasks', async (t) => {
  const { observed, stopAll } = await tenPods(
    t,
    'SEC("tp_btf/signal_generate") int f(__u64 *ctx) { if ((int)ctx[0] == 10) increment(); return 0; }',
    'tp_btf-signal_generate-task_argument-task2',
  );
  const targets: ChildProcess[] = [];
  for (const spawnIn of [
    ...observed.map(
      ({ member }) =>
        () =>
          member.web.spawn(sleeping, { stdio: ['pipe', 'pipe', 'inherit'] }),
    ),
    () => spawn(sleeping[0]!, sleeping.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] }),
  ]) {
    const target = spawnIn();
    t.after(() => target.kill());
    targets.push(target);
    await once(target.stdout!, 'data');
  }
  const [outside, ...inside] = targets.toReversed() as [ChildProcess, ...ChildProcess[]];
  for (const [i, target] of inside.toReversed().entries())
    for (let times = 0; times <= i; times++) process.kill(target.pid!, 'SIGUSR1');
  // Those that a pod sends are the receiver's.
  await output(observed[0]!.member.web, 'sh', '-c', `kill -USR1 ${outside.pid} ${inside[0]!.pid}`);
  await eventually(() =>
    assert.deepEqual(
      observed.map(({ probe }) => eventsOf(probe)),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 11],
    ),
  );
  await stopAll();
});

/** Connects as often as is said, and waits for the other side to close. */
const client = `
import socket, sys
for _ in range(int(sys.argv[2])):
    with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as connection:
        while connection.recv(100): pass
`;

test('ten pods share the dispatcher of a socket among the arguments, and each counts its own sockets', async (t) => {
  const { observed, stopAll } = await tenPods(
    t,
    // TCP_ESTABLISHED
    'SEC("tp_btf/inet_sock_set_state") int f(__u64 *ctx) { if ((int)ctx[2] == 1) increment(); return 0; }',
    'tp_btf-inet_sock_set_state-sock_argument-sock0',
  );
  const server = createServer((socket) => socket.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const port = String((server.address() as { port: number }).port);
  await Promise.all(
    observed.map(({ member }, i) => output(member.web, 'python3', '-c', client, port, String(i + 1))),
  );
  assert.deepEqual(
    observed.map(({ probe }) => eventsOf(probe)),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  await stopAll();
});
