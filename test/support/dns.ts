import { createInterface } from 'node:readline';
import type { Container } from '../../scripts/node/sandbox.ts';
import { eventually } from './eventually.ts';
import { output } from './pod.ts';

/** Where `startDnsmasq` listens on port 53. */
const addresses = ['127.0.0.1', '::1'];

/** 1,500 bytes of text, which no datagram without EDNS holds. */
const bigText = Array.from({ length: 6 }, (_, index) => `${index}`.repeat(250)).join(',');

export interface Resolver {
  /** Queries by type, as its own log has them. */
  queries(): Record<string, number>;
  stop(): void;
}

/** Starts dnsmasq in a container. It knows web.test (A, AAAA, TXT) and big.test (TXT), nothing else below test. */
export async function startDnsmasq(container: Container): Promise<Resolver> {
  const child = container.spawn(
    [
      'dnsmasq',
      ...['--keep-in-foreground', '--user=root', '--pid-file=', '--conf-file=/dev/null', '--log-facility=-'],
      ...['--no-resolv', '--no-hosts', '--log-queries', '--bind-interfaces'],
      ...addresses.map((address) => `--listen-address=${address}`),
      ...['--local=/test/', '--host-record=web.test,192.0.2.1,2001:db8::1'],
      ...['--txt-record=web.test,hello', `--txt-record=big.test,${bigText}`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const lines: string[] = [];
  createInterface(child.stderr!).on('line', (line) => lines.push(line));
  await eventually(async () => {
    if (!lines.some((line) => line.includes('started'))) throw new Error(`no dnsmasq: ${lines.join('; ')}`);
    await output(container, 'python3', '-c', `import socket; socket.create_connection(('127.0.0.1', 53))`);
  });
  return {
    queries() {
      const types = lines.flatMap((line) => / query\[([A-Z]+)\] /.exec(line)?.[1] ?? []);
      return Object.fromEntries(
        types.toSorted().map((type) => [type, types.filter((t) => t === type).length]),
      );
    },
    stop: () => child.kill(),
  };
}

/** What scripts in Python begin with: messages, and a server and a client on the loopback that the script speaks for. */
export const pythonDns = `
import socket, struct, time, random
A, TXT, AAAA = 1, 16, 28
def name(text): return b''.join(bytes([len(l)]) + l.encode() for l in text.split('.')) + b'\\0'
def header(id, flags=0x0100, questions=1): return struct.pack('!6H', id, flags, questions, 0, 0, 0)
def query(id, text, type=A): return header(id) + name(text) + struct.pack('!2H', type, 1)
def response(query, rcode=0): return query[:2] + struct.pack('!H', 0x8180 | rcode) + query[4:]
def udp(address):
    made = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(10)
    return made
def udp_server(address):
    made = udp(address)
    made.bind((address, 53))
    return made
def udp_client(address):
    made = udp(address)
    made.connect((address, 53))
    return made
def answer(server, *replies):
    message, client = server.recvfrom(4096)
    for reply in replies: server.sendto(reply(message), client)
def tcp_pair(address):
    listener = socket.create_server((address, 53))
    client = socket.create_connection((address, 53))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = listener.accept()[0]
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.close()
    return client, server
def framed(message): return struct.pack('!H', len(message)) + message
def read(connection, length):
    got = b''
    while len(got) < length: got += connection.recv(length - len(got))
    return got
`;

/** Runs a script that begins with `pythonDns`; what it prints last is JSON. */
export async function runDns<T = void>(container: Container, script: string): Promise<T> {
  const printed = await output(container, 'python3', '-c', `${pythonDns}${script}`);
  return (printed === '' ? undefined : JSON.parse(printed)) as T;
}
