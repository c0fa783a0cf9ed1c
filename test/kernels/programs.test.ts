import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';
import { startAuthored } from '../support/author.ts';
import { type BarePods, makeBarePods } from '../support/bare-pod.ts';
import { compileNative } from '../support/native.ts';
import { output } from '../support/pod.ts';
import { countingSlots, slotsOf, slotsSpec } from '../support/slots.ts';

/** Does something in a container a number of times. */
type Work = (container: Container, times: number) => Promise<unknown>;

const python =
  (code: string): Work =>
  (container, times) =>
    output(container, 'python3', '-c', `import os, socket\nfor _ in range(${times}):\n    ${code}`);

const asking = python('os.sched_getscheduler(0)');
const calling = python('os.getpriority(0, 0)');
const binding = python("socket.socket().bind(('127.0.0.1', 0))");

/** Has somebody outside reset connections of the container: its packets come in soft interrupts of others. */
const beingReset: Work = async (container, times) => {
  const server = createServer((socket) => socket.resetAndDestroy());
  server.listen(0);
  await once(server, 'listening');
  const gateway = await output(container, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
  const { port } = server.address() as AddressInfo;
  // The reset may come before the connection is known to be made.
  await python(`try: socket.create_connection(('${gateway}', ${port})).recv(1)
    except ConnectionResetError: pass`)(container, times);
  server.close();
};

interface Details {
  /** What the kernel takes for consent. */
  verdict?: number;
  /** Of what a section is called for, what its work does once. */
  when?: string;
}

const libc = `/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/libc.so.6`;
const isGetpriority = { when: 'ctx[1] == __NR_getpriority' };

/** What each section is called for once by its work. */
const kinds: [name: string, sections: string[], work: Work, details?: Details][] = [
  ['`tp_btf`, `raw_tp`', ['tp_btf/sys_enter', 'raw_tp/sys_enter'], calling, isGetpriority],
  ['`tracepoint`', ['tracepoint/syscalls/sys_enter_getpriority'], calling],
  ['`kprobe`, `kretprobe`', functions('kprobe', 'kretprobe'), asking],
  ['`kprobe`, by socket in soft interrupts', ['kprobe/tcp_reset'], beingReset],
  ['`ksyscall`, `kretsyscall`', ['ksyscall/getpriority', 'kretsyscall/getpriority'], calling],
  ['`kprobe.multi`, `kretprobe.multi`', functions('kprobe.multi', 'kretprobe.multi'), asking],
  ['`fentry`, `fexit`', functions('fentry', 'fexit'), asking],
  ['`fentry`, by socket in soft interrupts', ['fentry/tcp_reset'], beingReset],
  ['`lsm`', ['lsm/task_getscheduler'], asking],
  ['`lsm_cgroup`', ['lsm_cgroup/socket_bind'], binding, { verdict: 1 }],
  ['`uprobe`, `uretprobe`', [`uprobe/${libc}:getpriority`, `uretprobe/${libc}:getpriority`], calling],
  [
    '`uprobe.multi`, `uretprobe.multi`',
    [`uprobe.multi/${libc}:getpriority`, `uretprobe.multi/${libc}:getpriority`],
    calling,
  ],
];

function functions(...prefixes: string[]): string[] {
  return prefixes.map((prefix) => `${prefix}/security_task_getscheduler`);
}

describe('each type of program for what happens anywhere on the node', () => {
  let pods: BarePods;
  before(async () => {
    pods = await makeBarePods({ network: true });
    // A library is found in a container that runs.
    pods.web.spawn(['sleep', 'infinity'], { stdio: 'ignore' });
  });
  after(() => pods.destroy());

  for (const [name, sections, work, details] of kinds)
    test(name, (t) => expectExact(t, sections, work, details));

  test('`usdt`', async (t) => {
    const path = compileNative(t, 'calls.c');
    // Each line has orders of every amount up to 37.
    const ordering: Work = (container, times) =>
      output(container, 'sh', '-c', `yes | head -n ${times} | "$0"`, path);
    const when = '({ long amount = 0; bpf_usdt_arg((void *)ctx, 0, &amount); amount == 7; })';
    await expectExact(t, [`usdt/${path}:shop:order`], ordering, { when });
  });

  async function expectExact(
    t: TestContext,
    sections: readonly string[],
    work: Work,
    { verdict = 0, when = 'true' }: Details = {},
  ): Promise<void> {
    const functions = sections.map(
      (section, slot) =>
        `SEC("${section}") int f${slot}(__u64 *ctx) { if (${when}) add(${slot}, 1); return ${verdict}; }`,
    );
    const header = sections.some((section) => section.startsWith('usdt'))
      ? '#include <bpf/usdt.bpf.h>\n'
      : '';
    const probe = await startAuthored(countingSlots(header + functions.join('\n')), pods.pod, slotsSpec);
    t.after(() => probe.close());
    const [problem] = probe.programs.flatMap(({ problem }) => problem ?? []);
    if (problem !== undefined) return t.skip(problem);
    await work(pods.sidecar, 5);
    await work(pods.outsider, 7);
    const all = (count: number) => sections.map(() => count);
    assert.deepEqual(slotsOf(probe, sections.length), all(0), 'of the sidecar itself and another pod');
    await work(pods.web, 23);
    assert.deepEqual(slotsOf(probe, sections.length), all(23));
  }
});
