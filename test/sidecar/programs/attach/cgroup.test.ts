import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '../../../../scripts/node/sandbox.ts';
import { startAuthored } from '../../../support/author.ts';
import { barePodsFor } from '../../../support/bare-pod.ts';
import { output } from '../../../support/pod.ts';
import { countingSlots, slotsOf, slotsSpec } from '../../../support/slots.ts';

/** How many packets TCP needs, and in how many calls Python reads a file or asks for a name, is for them to decide. */
const some = undefined;

/** How often each is called by one round of the work below. */
const sections: Record<string, number | undefined> = {
  'cgroup_skb/ingress': some,
  'cgroup_skb/egress': some,
  'cgroup/skb': some,
  sockops: some,
  'cgroup/sock': 8,
  'cgroup/sock_create': 8,
  'cgroup/sock_release': 10,
  'cgroup/post_bind4': 2,
  'cgroup/post_bind6': 2,
  'cgroup/bind4': 2,
  'cgroup/bind6': 2,
  'cgroup/connect4': 2,
  'cgroup/connect6': 2,
  'cgroup/connect_unix': 1,
  'cgroup/sendmsg4': 1,
  'cgroup/sendmsg6': 1,
  'cgroup/sendmsg_unix': 1,
  'cgroup/recvmsg4': 1,
  'cgroup/recvmsg6': 1,
  'cgroup/recvmsg_unix': 1,
  'cgroup/getpeername4': 2,
  'cgroup/getpeername6': 2,
  'cgroup/getpeername_unix': 1,
  'cgroup/getsockname4': some,
  'cgroup/getsockname6': some,
  'cgroup/getsockname_unix': some,
  'cgroup/getsockopt': 2,
  'cgroup/setsockopt': 2,
  'cgroup/sysctl': some,
  'cgroup/dev': 1,
};

const rounds = `
import os, socket, sys
for i in range(int(sys.argv[1])):
    for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
        receiver = socket.socket(family, socket.SOCK_DGRAM); receiver.bind((host, 0))
        sender = socket.socket(family, socket.SOCK_DGRAM)
        sender.sendto(b'x', receiver.getsockname()); receiver.recvfrom(1)
        sender.connect(receiver.getsockname()); sender.getpeername()
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sender.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        receiver.close(); sender.close()
        listener = socket.socket(family); listener.bind((host, 0)); listener.listen(1)
        client = socket.socket(family); client.connect(listener.getsockname())
        listener.accept()[0].close(); client.close(); listener.close()
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); receiver.bind(f'\\0receiver{os.getpid()}-{i}')
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); sender.bind(f'\\0sender{os.getpid()}-{i}')
    sender.sendto(b'x', receiver.getsockname()); receiver.recvfrom(1)
    sender.connect(receiver.getsockname()); sender.getpeername()
    receiver.close(); sender.close()
    open('/proc/sys/kernel/ostype').read()
    open('/dev/null').close()
`;

test('every hook of a cgroup is called for the pod, the sidecar left out', async (t) => {
  const { pod, sidecar, web, outsider } = await barePodsFor(t, { network: true });
  const names = Object.keys(sections);
  const code = names.map(
    (section, slot) => `SEC("${section}") int on_${slot}(void *ctx) { add(${slot}, 1); return 1; }`,
  );
  const probe = await startAuthored(countingSlots(code.join('\n')), pod, slotsSpec);
  t.after(() => probe.close());
  assert.deepEqual(
    probe.programs.flatMap(({ problem, remark }) => problem ?? remark ?? []),
    [],
  );
  const work = async (container: Container, times: number) => {
    await output(container, 'python3', '-c', rounds, String(times));
    return slotsOf(probe, names.length);
  };
  const nothing = names.map(() => 0);
  assert.deepEqual(await work(sidecar, 3), nothing, 'the sidecar itself');
  assert.deepEqual(await work(outsider, 3), nothing, 'another pod');
  const first = await work(web, 1);
  const second = await work(web, 9);
  for (const [slot, [name, expected]] of Object.entries(sections).entries()) {
    // What a process does beside its rounds is in both.
    const perRound = (second[slot]! - 2 * first[slot]!) / 8;
    if (expected === some) assert.ok(perRound >= 1, `${name}: ${perRound}`);
    else assert.equal(perRound, expected, name);
  }
});
