import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Container } from '../../scripts/node/sandbox.ts';
import { pythonDns, type Resolver, runDns, startDnsmasq } from '../support/dns.ts';
import { eventually } from '../support/eventually.ts';
import { parseOpenMetrics, pythonClientMissing } from '../support/exposition.ts';
import { type ObservedPod, output, podFor, type Samples, startObservedPod } from '../support/pod.ts';

/** What was counted of a container, by the values of the labels. */
function countedOf({ all }: Samples, container: string) {
  const by = (name: string, label: string) =>
    Object.fromEntries(
      all
        .filter((sample) => sample.name === name && sample.labels.container === container)
        .map(({ labels, value }): [string, number] => [labels[label] ?? '', value])
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  const one = (name: string) => by(name, 'container')[container] ?? 0;
  return {
    queries: by('bpf_dns_queries_total', 'dns_question_type'),
    responses: by('bpf_dns_responses_total', 'dns_response_code'),
    unanswered: one('bpf_dns_queries_unanswered_total'),
    unmatched: one('bpf_dns_responses_unmatched_total'),
    malformed: one('bpf_dns_messages_malformed_total'),
  };
}

const nothing = { queries: {}, responses: {}, unanswered: 0, unmatched: 0, malformed: 0 };

describe('the dns probe', () => {
  let pod: ObservedPod;
  let resolver: Resolver;
  before(async () => {
    pod = await startObservedPod({ probes: 'dns' });
    resolver = await startDnsmasq(pod.addContainer('resolver'));
  });
  after(async () => {
    resolver?.stop();
    await pod?.stop();
  });

  const counted = async (container: string) => {
    const samples = await pod.scrape();
    assert.equal(samples.value('bpf_dns_messages_uncounted_total'), 0);
    return countedOf(samples, container);
  };

  /** Dig asks once, and again over TCP when the response is truncated. */
  const dig = (container: Container, ...args: string[]) =>
    output(container, 'dig', '+tries=1', '+noedns', ...args);

  test('counts the queries that the server has in its log, over UDP and TCP, IPv4 and IPv6, and its responses', async () => {
    const web = pod.addContainer('web');
    for (const server of ['@127.0.0.1', '@::1']) {
      for (const type of ['A', 'AAAA', 'TXT', 'MX']) {
        await dig(web, server, 'web.test', type);
        await dig(web, server, '+tcp', 'web.test', type);
      }
      await dig(web, server, 'none.test', 'A');
      await dig(web, server, 'elsewhere.example', 'A');
      assert.match(await dig(web, server, 'big.test', 'TXT'), /Truncated, retrying in TCP mode.*ANSWER: 1,/s);
    }
    assert.deepEqual(await counted('web'), {
      ...nothing,
      queries: resolver.queries(),
      responses: { NOERROR: 20, NXDOMAIN: 2, REFUSED: 2 },
    });
    assert.deepEqual(resolver.queries(), { A: 8, AAAA: 4, MX: 4, TXT: 8 });
    assert.deepEqual(await counted('resolver'), nothing, 'the server is no client');
    // A rate needs a counter that is there before it counts.
    const unanswered = (await pod.scrape()).all.filter(
      ({ name }) => name === 'bpf_dns_queries_unanswered_total',
    );
    assert.deepEqual(
      unanswered.map(({ labels, value }) => [labels.container, value]),
      [['web', 0]],
    );
  });

  test('measures a lookup from the first query to the response, and tells errors apart', async () => {
    const client = pod.addContainer('client');
    const { shortest, longest } = await runDns<{ shortest: number; longest: number }>(
      client,
      `
server, client = udp_server('127.0.0.2'), udp_client('127.0.0.2')
shortest = longest = 0
for id in range(100):
    before = time.monotonic_ns()
    client.send(query(id, 'slow.test'))
    sent = time.monotonic_ns()
    message, peer = server.recvfrom(4096)
    if id < 10:
        # A retry, which the server has to read as well.
        client.send(query(id, 'slow.test'))
        server.recvfrom(4096)
    time.sleep(0.001)
    answered = time.monotonic_ns()
    server.sendto(response(message, 2 if id % 2 else 0), peer)
    client.recv(4096)
    shortest += answered - sent
    longest += time.monotonic_ns() - before
print('{"shortest": %d, "longest": %d}' % (shortest, longest))
`,
    );
    assert.deepEqual(await counted('client'), {
      ...nothing,
      queries: { A: 110 },
      responses: { NOERROR: 50, SERVFAIL: 50 },
      unanswered: 10,
    });
    const { sum } = await pod.scrape();
    const labels = { container: 'client' };
    const lookups = (error_type: string) =>
      sum('bpf_dns_lookup_duration_seconds_count', { ...labels, error_type });
    assert.deepEqual([lookups(''), lookups('SERVFAIL')], [50, 50]);
    const ns = sum('bpf_dns_lookup_duration_seconds_sum', labels) * 1e9;
    // Each is rounded up to a microsecond.
    assert.ok(ns >= shortest && ns <= longest + 100 * 1000, `${shortest} <= ${ns} <= ${longest}`);
    assert.equal(
      sum('bpf_dns_lookup_duration_seconds_bucket', { ...labels, le: '0.000512' }),
      0,
      'none was faster',
    );
  });

  test('tells answered, unanswered and waiting queries apart, and responses that nobody waits for', async () => {
    const container = pod.addContainer('waiting');
    await runDns(
      container,
      `
server, client = udp_server('127.0.0.2'), udp_client('127.0.0.2')
# Answered twice.
client.send(query(1, 'twice.test')); answer(server, response, response)
# Answered for another question, another id, and from another server.
client.send(query(2, 'right.test'))
answer(server, lambda q: response(query(2, 'wrong.test')), lambda q: response(query(3, 'right.test')))
open_client = udp('127.0.0.3')
open_client.sendto(query(2, 'right.test'), ('127.0.0.2', 53))
message, peer = server.recvfrom(4096)
udp_server('127.0.0.3').sendto(response(message), peer)
open_client.close()
# Answered without the question, and in other letters.
client.send(query(4, 'none.test')); answer(server, lambda q: header(4, 0x8181, 0))
client.send(query(5, 'letters.test')); answer(server, lambda q: response(query(5, 'LeTTers.TEST')))
# Another question with the same id takes the place of the first.
client.send(query(6, 'first.test')); server.recv(4096)
client.send(query(6, 'second.test')); answer(server, response)
# One socket and one id for two servers.
open_client = udp('127.0.0.3')
second = udp_server('127.0.0.4')
for address in ('127.0.0.2', '127.0.0.4'): open_client.sendto(query(7, 'both.test', AAAA), (address, 53))
answer(server, response); answer(second, response)
# Closed with two queries: 2 waits as well.
client.send(query(8, 'closed.test')); server.recv(4096)
client.close()
# TCP is no other.
client, peer = tcp_pair('127.0.0.2')
client.sendall(framed(query(9, 'tcp.test')) * 2 + framed(query(10, 'tcp.test')))
client.close()
`,
    );
    assert.deepEqual(await counted('waiting'), {
      queries: { A: 11, AAAA: 2 },
      responses: { FORMERR: 1, NOERROR: 5 },
      // 2 of either socket, 6, 8, and of the connection 9, 9 and 10.
      unanswered: 7,
      unmatched: 4,
      malformed: 0,
    });
  });

  test('follows a TCP stream whose messages share segments and are cut by them anywhere', async () => {
    const container = pod.addContainer('stream');
    await runDns(
      container,
      `
client, server = tcp_pair('127.0.0.2')
def exchange(pieces, length):
    for piece in pieces: client.sendall(piece)
    return read(server, length)
queries = [framed(query(id, 'shared-%d.test' % id)) for id in range(40)]
all = b''.join(queries)
# 40 in a segment, and their responses.
read_back = exchange([all], len(all))
server.sendall(b''.join(framed(response(q[2:])) for q in queries))
read(client, len(all))
# The length alone, then the message; the length in two; a whole one and the first byte of the next.
q = framed(query(100, 'pieces.test', TXT))
for pieces in ([q[:2], q[2:]], [q[:1], q[1:2], q[2:]], [q + q[:1], q[1:]]):
    exchange(pieces, len(b''.join(pieces)))
# Longer than its first segment: the response to the last, in pieces, and one after it in the last of them.
long = framed(response(q[2:]) + b'x' * 5000)
for start in range(0, len(long), 1000): server.sendall(long[start:start + 1000])
read(client, len(long))
last = framed(query(101, 'last.test', AAAA))
exchange([last], len(last))
server.sendall(framed(response(last[2:])))
read(client, len(last))
`,
    );
    assert.deepEqual(await counted('stream'), {
      ...nothing,
      queries: { A: 40, AAAA: 1, TXT: 4 },
      responses: { NOERROR: 42 },
      unanswered: 3,
    });
  });

  test('counts a query once whose segment was lost and sent again', async () => {
    const container = pod.addContainer('lossy');
    const host = pod.sandbox.address!.replace(/\d+$/, (last) => String(Number(last) - 1));
    // Answers each segment with what was in it.
    const server = createServer((socket) => socket.on('data', (data) => socket.write(data)));
    await once(server.listen(53, host), 'listening');
    try {
      const { retransmits } = await runDns<{ retransmits: number }>(
        container,
        `
import re, subprocess
host = '${host}'
def retransmits(): return int(re.findall('Tcp: (.*)', open('/proc/net/snmp').read())[1].split()[11])
def neighbour(address): subprocess.run(['ip', 'neigh', 'replace', host, 'lladdr', address, 'dev', 'eth0'], check=True)
client = socket.create_connection((host, 53))
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
known = subprocess.run(['ip', 'neigh', 'show', host], check=True, capture_output=True, text=True).stdout
before = retransmits()
neighbour('02:00:00:00:00:99')
for id in range(3): client.sendall(framed(query(id, 'lost.test')))
neighbour(re.search('lladdr (\\S+)', known)[1])
read(client, 3 * len(framed(query(0, 'lost.test'))))
print('{"retransmits": %d}' % (retransmits() - before))
`,
      );
      assert.ok(retransmits > 0);
    } finally {
      server.close();
    }
    assert.deepEqual(await counted('lossy'), { ...nothing, queries: { A: 3 }, unanswered: 3 });
  });

  test('counts what it cannot read, and goes on', async () => {
    const container = pod.addContainer('hostile');
    const { malformed } = await runDns<{ malformed: number }>(
      container,
      `
server, client = udp_server('127.0.0.2'), udp_client('127.0.0.2')
longest = '.'.join(['a' * 63] * 3 + ['b' * 61])
end = struct.pack('!2H', A, 1)
bad = [
    b'', b'x', query(1, 'cut.test')[:11], query(1, 'cut.test')[:12], query(1, 'cut.test')[:-1],
    query(1, 'cut.test')[:16], header(1) + b'\\xc0\\x0c' + end, header(1) + b'\\x03abc\\xc0\\x0c' + end,
    header(1) + b'\\x40' + b'a' * 64 + b'\\0' + end, header(1) + b'\\xff' * 300,
    header(1) + b'\\x01a' * 127 + b'\\x01b\\0' + end, header(1) + b'\\x01a' * 4000,
    header(1) + name(longest + 'c') + end,
    header(1, questions=0), header(1, questions=2) + (name('a.test') + end) * 2,
    header(1, questions=0xffff) + (name('a.test') + end) * 1000,
]
for message in bad: client.send(message); server.recv(65536)
# Read: the longest names, the root, letters that are none, a type that nobody knows. Not lookups: an update.
good = [query(2, longest), header(3) + b'\\x01a' * 127 + b'\\0' + end, header(4) + b'\\0' + end,
    header(5) + b'\\x03\\0\\xff.\\0' + end, query(6, 'type.test', 65280), query(7, 'more.test') + b'x' * 1000]
for message in good: client.send(message); answer(server, response)
client.send(header(8, 0x2800) + name('update.test') + end); server.recv(65536)
# Responses, to one query.
client.send(query(9, 'answers.test')); _, peer = server.recvfrom(4096)
for message in bad: server.sendto(message[:2] + b'\\x81\\x80' + message[4:] if len(message) > 3 else message, peer)
server.sendto(response(query(9, 'answers.test'), 13), peer)
# Of the responses, one without a question is whole.
print('{"malformed": %d}' % (2 * len(bad) - 1))
`,
    );
    assert.deepEqual(await counted('hostile'), {
      queries: { A: 6, other: 1 },
      responses: { '13': 1, NOERROR: 6 },
      unanswered: 0,
      unmatched: 1,
      malformed,
    });
  });

  test('survives random messages and streams with the few labels that there are', async () => {
    const container = pod.addContainer('random');
    await runDns(
      container,
      `
random.seed(1)
def message():
    made = bytearray(query(random.randrange(4), random.choice(['a.test', 'b' * 60 + '.test'])))
    for _ in range(random.randrange(6)): made[random.randrange(len(made))] = random.randrange(256)
    return bytes(made[:random.randrange(len(made) + 1)]) if random.random() < 0.3 else bytes(made)
server, client = udp_server('127.0.0.2'), udp_client('127.0.0.2')
for _ in range(3000):
    client.send(message()); _, peer = server.recvfrom(4096)
    server.sendto(response(message() + b'\\0\\0'), peer); client.recv(4096)
for _ in range(20):
    client, peer = tcp_pair('127.0.0.2')
    for _ in range(20):
        sent = random.choice([framed, bytes])(message() * random.randrange(1, 40))
        client.sendall(sent); read(peer, len(sent)); peer.sendall(sent); read(client, len(sent))
    client.close(); peer.close()
`,
    );
    const samples = await pod.scrape();
    const { queries, responses, unanswered, malformed } = countedOf(samples, 'random');
    const types = samples.all.filter(
      ({ name, labels }) => name === 'bpf_dns_queries_total' && labels.container === 'random',
    );
    assert.ok(types.length <= 21, `${types.length} types`);
    assert.ok(Object.keys(responses).length <= 16);
    assert.ok(queries.A! > 500 && malformed > 500);
    const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
    assert.equal(sum(queries), sum(responses) + unanswered, 'all sockets are closed');
  });

  test('reads IPv6 with extension headers, and no other port', async () => {
    const container = pod.addContainer('ipv6');
    await runDns(
      container,
      `
client = udp_client('::1')
# Destination options: the next header, the length, and padding.
client.setsockopt(socket.IPPROTO_IPV6, 59, bytes([0, 0, 1, 4, 0, 0, 0, 0]))
client.send(query(1, 'web.test', AAAA))
assert client.recv(4096)[:2] == b'\\0\\x01'
other = udp('127.0.0.2')
other.bind(('127.0.0.2', 5353))
client = udp('127.0.0.2')
client.connect(('127.0.0.2', 5353))
client.send(query(1, 'web.test')); answer(other, response); client.recv(4096)
`,
    );
    assert.deepEqual(await counted('ipv6'), { ...nothing, queries: { AAAA: 1 }, responses: { NOERROR: 1 } });
  });

  test('counts nothing of another pod, and has no names unless asked', async () => {
    const before = await counted('web');
    const other = await startObservedPod({ probes: 'dns', pod: 'other' });
    const served = await startDnsmasq(other.addContainer('resolver'));
    try {
      const web = other.addContainer('web');
      for (let i = 0; i < 5; i++) await dig(web, '@127.0.0.1', 'web.test', 'A');
      assert.deepEqual(countedOf(await other.scrape(), 'web').queries, { A: 5 });
    } finally {
      served.stop();
      await other.stop();
    }
    assert.deepEqual(await counted('web'), before);
    const { all } = await pod.scrape();
    assert.ok(all.every(({ labels }) => labels.dns_question_name === undefined));
  });
});

test('the dns probe names as many domains as it is asked to, and folds the others', async (t) => {
  const pod = await podFor(t, { probes: 'dns', annotations: { 'bpf.sh/probe-options': 'dns.domains=2' } });
  await runDns(
    pod.addContainer('web'),
    `
server, client = udp_server('127.0.0.2'), udp_client('127.0.0.2')
def ask(id, text, rcode=0):
    client.send(query(id, text)); answer(server, lambda q: response(q, rcode)); client.recv(4096)
for id, text in enumerate(['Web.TEST', 'web.test', 'a' * 61 + '.test', 'db.test', 'web.test', 'third.test']): ask(id, text)
for id in range(5000): ask(id, 'random-%d.test' % id, 3)
`,
  );
  const { value, all, sum } = await pod.scrape();
  const names = (metric: string) =>
    Object.fromEntries(
      [...new Set(all.filter(({ name }) => name === metric).map(({ labels }) => labels.dns_question_name!))]
        .toSorted()
        .map((name) => [name, sum(metric, { container: 'web', dns_question_name: name })]),
    );
  const expected = { 'db.test': 1, 'web.test': 3, '~other': 5002 };
  assert.deepEqual(names('bpf_dns_queries_total'), expected);
  assert.deepEqual(names('bpf_dns_responses_total'), expected);
  assert.deepEqual(names('bpf_dns_lookup_duration_seconds_count'), expected);
  assert.equal(
    value('bpf_dns_lookup_duration_seconds_count', { dns_question_name: '~other', error_type: 'NXDOMAIN' }),
    5000,
  );
  assert.equal(value('bpf_dns_messages_uncounted_total'), 0);
});

test('a thousand domains of any bytes are labels that a strict parser reads', {
  skip: pythonClientMissing,
}, async (t) => {
  const pod = await podFor(t, {
    probes: 'dns',
    annotations: { 'bpf.sh/probe-options': 'dns.domains=1000' },
  });
  await runDns(
    pod.addContainer('web'),
    `
random.seed(2)
server, client = udp_server('127.0.0.2'), udp_client('127.0.0.2')
for id in range(1500):
    label = b'n%d' % id + random.randbytes(random.randrange(50))
    client.send(header(id) + bytes([len(label)]) + label + b'\\0' + struct.pack('!2H', A, 1))
    answer(server, response); client.recv(4096)
`,
  );
  const response = await fetch(pod.url('/metrics'), {
    headers: { accept: 'application/openmetrics-text; version=1.0.0' },
  });
  const family = (await response.text()).split('\n').filter((line) => /^(# \S+ )?bpf_dns_queries/.test(line));
  const queries = parseOpenMetrics([...family, '# EOF\n'].join('\n')).filter(
    ({ name }) => name === 'bpf_dns_queries_total',
  );
  assert.equal(new Set(queries.map(({ labels }) => labels.dns_question_name)).size, 1001);
  assert.equal(
    queries.reduce((sum, { value }) => sum + value, 0),
    1500,
  );
});

test('the dns probe sees the lookups of sockets that were there before it', async (t) => {
  const pod = await podFor(t, { probes: '' });
  const script = `${pythonDns}
server, client = udp_server('127.0.0.2'), udp_client('127.0.0.2')
connection, peer = tcp_pair('127.0.0.2')
connection.sendall(framed(query(1, 'early.test'))); client.send(query(1, 'early.test')); server.recv(4096)
print('open', flush=True)
input()
server.sendto(response(query(1, 'early.test')), client.getsockname())
for id in range(2, 5):
    client.send(query(id, 'late.test')); answer(server, response)
    connection.sendall(framed(query(id, 'late.test')))
    peer.sendall(framed(response(query(id, 'late.test')))); read(connection, len(framed(query(id, 'late.test'))))
`;
  const child = pod
    .addContainer('old')
    .spawn(['python3', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
  pod.running.updateAnnotations({ 'bpf.sh/inject': 'true', 'bpf.sh/probes': 'dns' });
  await eventually(async () =>
    assert.equal((await pod.scrape()).sum('bpf_sidecar_program_attached', { probe: 'dns' }), 3),
  );
  child.stdin!.end('\n');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  assert.deepEqual(countedOf(await pod.scrape(), 'old'), {
    ...nothing,
    queries: { A: 6 },
    responses: { NOERROR: 6 },
    unmatched: 1,
  });
});
