import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Container } from '../../../../scripts/node/sandbox.ts';
import { startAuthored } from '../../../support/author.ts';
import { type BarePods, makeBarePods } from '../../../support/bare-pod.ts';
import { output } from '../../../support/pod.ts';
import { countingSlots, slotsOf, slotsSpec } from '../../../support/slots.ts';

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

/** What each section is called for once by its work; the verdict is what the kernel takes for consent. */
const kinds: [name: string, sections: string[], work: Work, verdict: number][] = [
  ['`kprobe`, `kretprobe`', functions('kprobe', 'kretprobe'), asking, 0],
  ['`kprobe`, by socket in soft interrupts', ['kprobe/tcp_reset'], beingReset, 0],
  ['`ksyscall`, `kretsyscall`', ['ksyscall/getpriority', 'kretsyscall/getpriority'], calling, 0],
  ['`kprobe.multi`, `kretprobe.multi`', functions('kprobe.multi', 'kretprobe.multi'), asking, 0],
  ['`fentry`, `fexit`', functions('fentry', 'fexit'), asking, 0],
  ['`fentry`, by socket in soft interrupts', ['fentry/tcp_reset'], beingReset, 0],
  ['`lsm`', ['lsm/task_getscheduler'], asking, 0],
  ['`lsm_cgroup`', ['lsm_cgroup/socket_bind'], binding, 1],
];

function functions(...prefixes: string[]): string[] {
  return prefixes.map((prefix) => `${prefix}/security_task_getscheduler`);
}

describe('on functions of the kernel', () => {
  let pods: BarePods;
  before(async () => {
    pods = await makeBarePods({ network: true });
  });
  after(() => pods.destroy());

  for (const [name, sections, work, verdict] of kinds)
    test(name, async (t) => {
      const code = sections.map(
        (section, slot) =>
          `SEC("${section}") int f${slot}(__u64 *ctx) { add(${slot}, 1); return ${verdict}; }`,
      );
      const probe = await startAuthored(countingSlots(code.join('\n')), pods.pod, slotsSpec);
      t.after(() => probe.close());
      const [problem] = probe.programs.flatMap(({ problem }) => problem ?? []);
      if (problem !== undefined) return t.skip(problem);
      await work(pods.sidecar, 5);
      await work(pods.outsider, 7);
      assert.deepEqual(
        slotsOf(probe, sections.length),
        sections.map(() => 0),
        'of the sidecar itself and another pod',
      );
      await work(pods.web, 23);
      assert.deepEqual(
        slotsOf(probe, sections.length),
        sections.map(() => 23),
      );
    });
});
