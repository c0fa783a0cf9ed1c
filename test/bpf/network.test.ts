import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { type ObservedPod, output, startObservedPod } from '../support/pod.ts';
import { type Counted, kernelCounters, transfer } from '../support/traffic.ts';

const request = 5_000_000;
const reply = 3_000_000;

/** IPv4 and TCP headers of a data segment, which carries timestamps. */
const headers = 20 + 32;

describe('the network probe', () => {
  let pod: ObservedPod;
  let web: Container;
  before(async () => {
    pod = await startObservedPod({ probes: 'network' });
    web = pod.addContainer('web');
  });
  after(() => pod.stop());

  const traffic = async (labels: Record<string, string>) => {
    const samples = await pod.scrape();
    const of = (direction: string) => ({
      packets: samples.value('bpf_network_packet_count_total', {
        ...labels,
        network_io_direction: direction,
      }),
      bytes: samples.value('bpf_network_io_bytes_total', { ...labels, network_io_direction: direction }),
    });
    return { receive: of('receive'), transmit: of('transmit') };
  };

  test('counts the packets that the kernel counts and every byte of a transfer, joined buffers or not', async () => {
    await scrapesLeaveNoTrace();
    const labels = { container: 'web', network_type: 'ipv4', network_transport: 'tcp' };
    const before = await kernelCounters(web);
    await transfer(web, pod.sandbox.address!, request, reply);
    // Read before the scrape, whose segments the kernel counts as well.
    const kernel = await kernelCounters(web);
    const counted = await traffic(labels);
    for (const direction of ['receive', 'transmit'] as const) {
      const since = (what: keyof Counted) => kernel[direction][what] - before[direction][what];
      const { packets, bytes } = counted[direction];
      assert.equal(packets, since('packets'), `packets, ${direction}`);
      // On the wire each packet of a joined buffer has headers of its own.
      assert.equal(bytes, since('bytes') + (packets - since('buffers')) * headers, `bytes, ${direction}`);
    }
    assert.ok(counted.receive.bytes > request && counted.transmit.bytes > reply);
  });

  test('counts nothing of the sidecar, which has just answered scrapes, nor of another pod', async () => {
    const other = await startObservedPod({ probes: 'network', pod: 'other' });
    try {
      await transfer(other.addContainer('web'), other.sandbox.address!, 1000, 1000);
      const { sum } = await pod.scrape();
      assert.equal(
        sum('bpf_network_packet_count_total'),
        sum('bpf_network_packet_count_total', { container: 'web' }),
      );
      const { receive } = await traffic({ container: 'web', network_type: 'ipv4', network_transport: 'tcp' });
      assert.ok(receive.packets < (request / 1000) * 2, 'no packet of the other transfer or of scrapes');
    } finally {
      await other.stop();
    }
  });

  test('tells UDP, ICMP and IPv6 apart', async () => {
    const datagrams = `
import socket
for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    receiver = socket.socket(family, socket.SOCK_DGRAM)
    receiver.bind((host, 0))
    sender = socket.socket(family, socket.SOCK_DGRAM)
    for size in range(1, 101):
        sender.sendto(b'x' * size, receiver.getsockname()[:2])
        assert len(receiver.recv(200)) == size
`;
    const worker = pod.addContainer('worker');
    await output(worker, 'python3', '-c', datagrams);
    for (const [family, header] of [
      ['ipv4', 20 + 8],
      ['ipv6', 40 + 8],
    ] as const) {
      const { receive, transmit } = await traffic({
        container: 'worker',
        network_type: family,
        network_transport: 'udp',
      });
      const expected = { packets: 100, bytes: 5050 + 100 * header };
      assert.deepEqual({ receive, transmit }, { receive: expected, transmit: expected });
    }
    assert.equal((await pod.scrape()).value('bpf_network_packets_uncounted_total'), 0);
  });

  /** A scrape's connection is the sidecar's own: counted by the kernel, but not by the probe. */
  async function scrapesLeaveNoTrace(): Promise<void> {
    await pod.scrape();
    const { sum } = await pod.scrape();
    assert.equal(sum('bpf_network_packet_count_total'), 0);
    // The last answer is one segment, whose acknowledgement the client may delay.
    await eventually(async () => assert.deepEqual(await unacknowledged(web), []));
  }
});

/** Sockets of the pod with bytes that the other side has not acknowledged. */
async function unacknowledged(container: Container): Promise<string[]> {
  const lines = (await output(container, 'cat', '/proc/net/tcp', '/proc/net/tcp6')).split('\n');
  const sending = /^ *\d+:(?: [\dA-F:]+){3} (?!0{8}:)/;
  return lines.filter((line) => sending.test(line));
}
