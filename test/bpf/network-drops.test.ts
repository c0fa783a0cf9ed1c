import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';
import { kernelEnum, tracepointArguments } from '../../sidecar/libbpf/kernel-btf.ts';
import { type ObservedPod, output, startObservedPod } from '../support/pod.ts';

const withoutReceivers =
  !tracepointArguments('kfree_skb')?.includes('sock') &&
  'needs the socket among the arguments of kfree_skb, of Linux 6.11';
const withoutFirewalls =
  !kernelEnum('skb_drop_reason').some(([, name]) => name === 'SKB_DROP_REASON_NETFILTER_DROP') &&
  'needs a kernel that gives firewalls as a reason, of Linux 5.18';

describe('drops of the network probe', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'network' });
  });
  after(() => pod.stop());

  test('full receive buffers, each packet once, as the kernel counts them', async () => {
    const slow = pod.addContainer('slow');
    const udp = await udpCounter(slow, 'RcvbufErrors');
    const dropped = await python(slow, fillBuffers);
    assert.equal((await udpCounter(slow, 'RcvbufErrors')) - udp, dropped.udp);
    assert.ok(dropped.udp! > 400 && dropped.udp6! > 400 && dropped.icmp! > 400, JSON.stringify(dropped));
    assert.deepEqual(await drops(pod, 'slow'), {
      'socket_rcvbuff ipv4 udp': dropped.udp,
      'socket_rcvbuff ipv6 udp': dropped.udp6,
      'socket_rcvbuff ipv4 icmp': dropped.icmp,
    });
  });

  test('packets that a firewall keeps from leaving, as it counts them', {
    skip: withoutFirewalls,
  }, async (t) => {
    const web = pod.addContainer('web');
    const firewall = await firewallFor(t, web, [
      'output ip version 4 udp dport 9001',
      'output ip6 version 6 udp dport 9001',
      'output udp dport 9002',
      'output tcp dport 9003',
    ]);
    if (!firewall) return;
    await python(
      web,
      `
send(socket.AF_INET, '127.0.0.1', 9001, 20)
send(socket.AF_INET6, '::1', 9001, 10)
# A socket of IPv6 sends IPv4.
send(socket.AF_INET6, '::ffff:127.0.0.1', 9001, 7)
# Buffers of ten packets.
send(socket.AF_INET, '127.0.0.1', 9002, 5, size=1000, segment=100)
connecting = socket.socket()
connecting.settimeout(0.1)
try: connecting.connect(('127.0.0.1', 9003))
except OSError: pass
connecting.close()
`,
    );
    const [ipv4, ipv6, buffers, handshakes] = await firewall.counted();
    assert.deepEqual([ipv4, ipv6, buffers], [27, 10, 5]);
    assert.ok(handshakes! > 0);
    assert.deepEqual(await drops(pod, 'web'), {
      'netfilter_drop ipv4 udp': ipv4! + buffers! * 10,
      'netfilter_drop ipv6 udp': ipv6,
      'netfilter_drop ipv4 tcp': handshakes,
    });
  });

  test('packets that a socket does not want', { skip: withoutReceivers }, async () => {
    const choosy = pod.addContainer('choosy');
    await python(
      choosy,
      `
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(('127.0.0.1', 0))
# A program of one instruction, which returns 0: how many bytes to keep.
code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0))
receiver.setsockopt(socket.SOL_SOCKET, 26, struct.pack('HL', 1, ctypes.addressof(code)))
send(socket.AF_INET, '127.0.0.1', receiver.getsockname()[1], 30)
`,
    );
    assert.deepEqual(await drops(pod, 'choosy'), { 'socket_filter ipv4 udp': 30 });
  });

  test('nothing of connections and datagrams that come and go as they should', async () => {
    const busy = pod.addContainer('busy');
    await python(
      busy,
      `
listener = socket.create_server(('127.0.0.1', 0))
for _ in range(100):
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    client.sendall(b'x' * 10000)
    server.sendall(server.recv(10000, socket.MSG_WAITALL))
    client.recv(10000, socket.MSG_WAITALL)
    for end in (client, server): end.close()
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(('127.0.0.1', 0))
for _ in range(100):
    send(socket.AF_INET, '127.0.0.1', receiver.getsockname()[1], 1)
    receiver.recv(100)
`,
    );
    assert.deepEqual(await drops(pod, 'busy'), {});
  });

  test('not those that no socket has: for a closed port, or stopped by a firewall on their way in', async (t) => {
    const open = pod.addContainer('open');
    const firewall = await firewallFor(t, open, ['input udp dport 9004']);
    if (!firewall) return;
    const before = await udpCounter(open, 'NoPorts');
    await python(
      open,
      `
send(socket.AF_INET, '127.0.0.1', 9004, 40)
send(socket.AF_INET, '127.0.0.1', 9005, 50)
`,
    );
    assert.deepEqual(await firewall.counted(), [40]);
    assert.equal((await udpCounter(open, 'NoPorts')) - before, 50);
    assert.deepEqual(await drops(pod, 'open'), {});
  });

  test('only of the pod itself: nothing of another pod, nor of the sidecar', {
    skip: withoutFirewalls,
  }, async (t) => {
    const other = await startObservedPod({ probes: 'network', pod: 'other' });
    t.after(() => other.stop());
    const before = await total(pod);
    const web = other.addContainer('web');
    const send = (count: number) => `send(socket.AF_INET, '127.0.0.1', 9006, ${count})`;
    for (const [container, count] of [
      [web, 60],
      [pod.sidecar, 70],
    ] as const) {
      const firewall = await firewallFor(t, container, ['output udp dport 9006']);
      if (!firewall) return;
      await python(container, send(count));
      assert.deepEqual(await firewall.counted(), [count]);
    }
    assert.deepEqual(await drops(other, 'web'), { 'netfilter_drop ipv4 udp': 60 });
    assert.equal(await total(other), 60);
    assert.equal(await total(pod), before);
    assert.equal((await pod.scrape()).value('bpf_network_packets_uncounted_total'), 0);
  });
});

const metric = 'bpf_network_packet_dropped_total';

/** What a pod's sidecar has counted of a container, by reason, version of IP and protocol. */
async function drops(pod: ObservedPod, container: string): Promise<Record<string, number>> {
  const { all } = await pod.scrape();
  const own = all.filter(({ name, labels }) => name === metric && labels.container === container);
  return Object.fromEntries(
    own.map(({ labels, value }) => [
      `${labels.reason} ${labels.network_type} ${labels.network_transport}`,
      value,
    ]),
  );
}

async function total(pod: ObservedPod): Promise<number> {
  return (await pod.scrape()).sum(metric);
}

interface Firewall {
  /** How many buffers each of its rules has stopped. */
  counted(): Promise<number[]>;
}

/**
 * Drops what matches one of the rules in the pod's network namespace, `output udp dport 9` for example, for as long as that
 * is there; undefined, with the test skipped, where there can be no firewall.
 */
async function firewallFor(
  t: TestContext,
  container: Container,
  rules: string[],
): Promise<Firewall | undefined> {
  try {
    await output(container, 'nft', 'list', 'tables');
  } catch (error) {
    t.skip(`needs nftables: ${(error as Error).message}`);
    return undefined;
  }
  const table = ['inet', `of_${container.id}`];
  const chain = (hook: string) => {
    const own = rules.filter((rule) => rule.startsWith(`${hook} `));
    const lines = own.map((rule) => `${rule.slice(hook.length + 1)} counter drop\n`);
    return `chain ${hook} {\ntype filter hook ${hook} priority 0\n${lines.join('')}}\n`;
  };
  await output(container, 'nft', `table ${table.join(' ')} {\n${chain('input')}${chain('output')}}`);
  return {
    async counted() {
      const listed = await output(container, 'nft', 'list', 'table', ...table);
      return [...listed.matchAll(/counter packets (\d+)/g)].map(([, packets]) => Number(packets));
    },
  };
}

/** A counter of the kernel's, of all UDP over IPv4 in the pod's network namespace. */
async function udpCounter(container: Container, name: string): Promise<number> {
  const [names, values] = (await output(container, 'grep', '^Udp:', '/proc/net/snmp')).split('\n');
  return Number(values!.split(' ')[names!.split(' ').indexOf(name)]);
}

/** Runs a program to its end; gives the numbers that it prints as JSON. */
async function python(container: Container, program: string): Promise<Record<string, number>> {
  return JSON.parse((await output(container, 'python3', '-c', `${sending}\n${program}`)) || '{}');
}

const sending = `
import ctypes, json, socket, struct

SOL_UDP, UDP_SEGMENT = 17, 103

def send(family, host, port, count, size=50, segment=0):
    sender = socket.socket(family, socket.SOCK_DGRAM)
    if segment: sender.setsockopt(SOL_UDP, UDP_SEGMENT, segment)
    for _ in range(count):
        # A firewall tells the sender.
        try: sender.sendto(b'x' * size, (host, port))
        except PermissionError: pass
`;

/** The last word of a socket's line is how many packets its full buffer has dropped. */
const fillBuffers = `
def lines(file):
    with open('/proc/net/' + file) as sockets: return [line.split() for line in sockets][1:]

dropped = {}
for file, family, host in ('udp', socket.AF_INET, '127.0.0.1'), ('udp6', socket.AF_INET6, '::1'):
    receiver = socket.socket(family, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    receiver.bind((host, 0))
    port = receiver.getsockname()[1]
    send(family, host, port, 500, size=500)
    dropped[file] = sum(int(line[-1]) for line in lines(file) if int(line[1].split(':')[1], 16) == port)

# In this network namespace alone.
with open('/proc/sys/net/ipv4/ping_group_range', 'w') as groups: groups.write('0 0')
pinging = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
pinging.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
for _ in range(500): pinging.sendto(struct.pack('!BBHHH', 8, 0, 0, 0, 0) + bytes(500), ('127.0.0.1', 0))
dropped['icmp'] = sum(int(line[-1]) for line in lines('icmp'))
print(json.dumps(dropped))
`;
