import { once } from 'node:events';
import { connect } from 'node:net';
import type { Container } from '../../scripts/node/sandbox.ts';
import { output } from './pod.ts';

/** A TCP server for one connection: reads to the end, answers with `reply` bytes, and is the last to close. */
const server = `
import socket, sys
host, reply = sys.argv[1], int(sys.argv[2])
listener = socket.create_server((host, 0), family=socket.AF_INET6 if ':' in host else socket.AF_INET)
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
while connection.recv(65536): pass
connection.sendall(b'x' * reply)
connection.close()
`;

/** Sends `request` bytes from here to a server in the container and reads its `reply` bytes, both to the end. */
export async function transfer(
  container: Container,
  host: string,
  request: number,
  reply: number,
): Promise<void> {
  const child = container.spawn(['python3', '-c', server, host, String(reply)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = await once(child.stdout!, 'data');
  const socket = connect({ host, port: Number(String(port)), allowHalfOpen: true });
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  socket.end(Buffer.alloc(request));
  await Promise.all([once(socket, 'end'), once(child, 'exit')]);
  socket.destroy();
  if (received !== reply) throw new Error(`received ${received} bytes of ${reply}`);
}

/** What the kernel itself counted of one direction. */
export interface Counted {
  /** On the wire. */
  packets: number;
  /** As the kernel joined the packets. */
  buffers: number;
  /** Of the buffers, from the IP header on. */
  bytes: number;
}

/** The kernel's own counters of the network namespace that a container is in, which has only TCP traffic. */
export async function kernelCounters(
  container: Container,
): Promise<{ receive: Counted; transmit: Counted; retransmits: number }> {
  const lines = (await output(container, 'cat', '/proc/net/snmp', '/proc/net/netstat')).split('\n');
  const counter = (group: string, name: string) => {
    const [names, values] = lines
      .filter((line) => line.startsWith(`${group}: `))
      .map((line) => line.split(' '));
    return Number(values![names!.indexOf(name)]);
  };
  // By ECN mark, because of all counters of received packets only these count what a joined buffer stands for.
  const marks = ['InNoECTPkts', 'InECT1Pkts', 'InECT0Pkts', 'InCEPkts'];
  const retransmits = counter('Tcp', 'RetransSegs');
  return {
    receive: {
      packets: marks.reduce((sum, name) => sum + counter('IpExt', name), 0),
      buffers: counter('Ip', 'InReceives'),
      bytes: counter('IpExt', 'InOctets'),
    },
    transmit: {
      packets: counter('Tcp', 'OutSegs') + retransmits,
      buffers: counter('Ip', 'OutRequests'),
      bytes: counter('IpExt', 'OutOctets'),
    },
    retransmits,
  };
}
