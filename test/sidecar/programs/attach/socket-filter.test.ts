import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { type Container, createSandbox } from '../../../../scripts/node/sandbox.ts';
import { counting } from '../../../support/author.ts';
import { output } from '../../../support/pod.ts';

/** Counts UDP packets: their protocol is behind 14 bytes of Ethernet and 9 of IP. */
const program = counting(`
SEC("socket") int packets(struct __sk_buff *skb) {
    __u8 protocol = 0;
    if (!bpf_skb_load_bytes(skb, 14 + 9, &protocol, 1) && protocol == 17)
        increment();
    return 0;
}`);

const datagrams = `
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    sender.sendto(b'x', (sys.argv[1], 9))
`;

test('a socket filter counts the packets of the pod and of no other', async () => {
  const pods = await Promise.all([createSandbox({ network: true }), createSandbox({ network: true })]);
  after(() => Promise.all(pods.map((pod) => pod.destroy())));
  const [pod, other] = pods;
  const script = join(import.meta.dirname, '../../../support/probe-process.ts');
  const child = pod!
    .addContainer('bpf-sidecar')
    .spawn([process.execPath, script, program, pod!.cgroup], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! });
  assert.deepEqual(await once(lines, 'line'), ["it sees the sidecar's own packets too, those of scrapes"]);

  const send = async (container: Container, times: number) => {
    const gateway = await output(container, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
    await output(container, 'python3', '-c', datagrams, gateway, String(times));
  };
  await send(pod!.addContainer('web'), 37);
  await send(other!.addContainer('web'), 11);
  child.stdin!.write('\n');
  assert.deepEqual(await once(lines, 'line'), ['37']);
  child.stdin!.end();
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
