import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, type TestContext, test } from 'node:test';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import type { Container } from '../../scripts/node/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { play, type Step } from '../support/http-player.ts';
import { startNginx } from '../support/nginx.ts';
import { type ObservedPod, output, podFor, type Samples, startObservedPod } from '../support/pod.ts';
import { kernelCounters } from '../support/traffic.ts';

const load = join(import.meta.dirname, '../fixtures/http-load.py');

type Role = 'server' | 'client';

/** How many requests were counted in a role, by `METHOD STATUS`, with the error behind them where there is one. */
function counted(samples: Samples, role: Role, container: string): Record<string, number> {
  const name = `bpf_http_${role}_request_duration_seconds_count`;
  return Object.fromEntries(
    samples.all
      .filter((sample) => sample.name === name && sample.labels.container === container)
      .map(({ labels, value }) => [
        [labels.http_request_method, labels.http_response_status_code, labels.error_type]
          .filter(Boolean)
          .join(' '),
        value,
      ]),
  );
}

/** Counts by method and status as the probe names them. */
const named = (counts: Record<string, number>) =>
  Object.fromEntries(
    Object.entries(counts).map(([request, count]) => [request.replace(/^PURGE /, '_OTHER '), count]),
  );

const uncounted = (samples: Samples) => samples.value('bpf_http_requests_uncounted_total');

function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'nginx-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

const get = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const exchange: Step[] = [
  ['c', get],
  ['s', ok],
];
const chunk = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n`;

describe('the http probe', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'http' });
  });
  after(() => pod.stop());

  let containers = 0;
  /** Plays connections in a container of their own; client and server are counted alike, and lose alike. */
  const expectCounted = async (
    connections: Step[][],
    expected: Record<string, number>,
    lost = 0,
  ): Promise<void> => {
    const name = `player-${++containers}`;
    const before = uncounted(await pod.scrape());
    await play(pod.addContainer(name), connections);
    await eventually(async () => {
      const samples = await pod.scrape();
      for (const role of ['server', 'client'] as const)
        assert.deepEqual(counted(samples, role, name), expected, role);
      assert.equal(uncounted(samples) - before, 2 * lost);
    });
  };

  test('agrees with the access logs over 100,000 requests of every kind, as server and as client', async (t) => {
    const [web, backend, client] = ['web', 'backend', 'client'].map(pod.addContainer) as [
      Container,
      Container,
      Container,
    ];
    const upstream = await startNginx(backend, directoryFor(t), { port: 8090 });
    const server = await startNginx(web, directoryFor(t), { upstream: '127.0.0.1:8090' });
    const outside = spawn('python3', [load, pod.sandbox.address!, '8081', '50000', '2'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [inside] = await Promise.all([
      output(client, 'python3', load, '127.0.0.1', '8080', '50000', '1'),
      text(outside.stdout!),
    ]);
    await Promise.all([server.stop(), upstream.stop()]);
    const log = server.log();
    assert.equal(
      Object.values(log).reduce((sum, count) => sum + count),
      100_000,
    );
    const samples = await pod.scrape();
    assert.equal(uncounted(samples), 0);
    assert.deepEqual(counted(samples, 'server', 'web'), named(log));
    assert.deepEqual(counted(samples, 'client', 'client'), named(JSON.parse(inside)));
    assert.deepEqual(counted(samples, 'server', 'backend'), upstream.log());
    assert.deepEqual(counted(samples, 'client', 'web'), upstream.log());
  });

  test('observes how long a request took, from its first byte to the last of its response', async () => {
    const slow = pod.addContainer('slow');
    await output(
      slow,
      'python3',
      '-c',
      `
import socket, time
listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
begin = time.monotonic()
client.sendall(b'GET / HT')
time.sleep(0.1)
client.sendall(b'TP/1.1\\r\\n\\r\\n')
server.recv(100)
time.sleep(0.1)
server.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\no')
time.sleep(0.1)
server.sendall(b'k')
`,
    );
    const samples = await pod.scrape();
    for (const role of ['server', 'client']) {
      const labels = { container: 'slow', http_request_method: 'GET', http_response_status_code: '200' };
      const of = (what: string, more = {}) =>
        samples.value(`bpf_http_${role}_request_duration_seconds_${what}`, { ...labels, ...more });
      assert.equal(of('count'), 1);
      assert.ok(of('sum') >= 0.3 && of('sum') < 20, `${of('sum')} s`);
      assert.equal(of('bucket', { le: '0.25' }), 0);
    }
  });

  test('follows heads that are cut at any place, and of any length', async () => {
    const post = `POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc`;
    const chunks = `HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('abc')}0\r\nTrailer: 1\r\n\r\n`;
    const cuts = [...post].map((_, at): Step[] => [
      ['c', post.slice(0, at)],
      ['c', post.slice(at)],
      ['s', chunks],
    ]);
    const answers = [...chunks].map((_, at): Step[] => [
      ['c', post],
      ['s', chunks.slice(0, at)],
      ['s', chunks.slice(at)],
      ...exchange,
    ]);
    const header = `X-Long: ${'GET / HTTP/1.1 '.repeat(1400)}\r\n`;
    const long: Step[] = [
      ['c', get.replace('\r\n\r\n', `\r\n${header}\r\n`)],
      ['s', ok.replace('\r\n\r\n', `\r\n${header}\r\n`)],
    ];
    await expectCounted([...cuts, ...answers, [...long, ...long]], {
      'POST 201': cuts.length + answers.length,
      'GET 200': answers.length + 2,
    });
  });

  test('does not take a body for a message', async () => {
    const decoy = get + ok;
    const wholeBody = `POST / HTTP/1.1\r\nContent-Length: ${decoy.length}\r\n\r\n`;
    const inChunks = 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n';
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n';
    const large = decoy.repeat(20_000);
    await expectCounted(
      [
        [['c', wholeBody], ['c', decoy], ['s', ok], ...exchange],
        [['c', inChunks], ['c', chunk(decoy) + chunk(decoy)], ['c', '0\r\n\r\n'], ['s', ok], ...exchange],
        [['c', get], ['s', chunked + chunk(decoy)], ['s', '0\r\n\r\n'], ...exchange],
        [
          ['c', inChunks + chunk(large)],
          ['c', '0\r\n\r\n'],
          ['s', `${chunked + chunk(large)}0\r\n\r\n`],
        ],
      ],
      { 'POST 200': 3, 'GET 200': 4 },
    );
  });

  test('knows the responses without a body, and those that end with the connection', async () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n';
    await expectCounted(
      [
        [['c', get.replace('GET', 'HEAD')], ['s', head], ...exchange],
        [['c', get], ['s', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n'], ...exchange],
        [['c', get], ['s', 'HTTP/1.1 204 No Content\r\n\r\n'], ...exchange],
        [
          ['c', 'POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n'],
          ['s', 'HTTP/1.1 100 Continue\r\n\r\n'],
          ['c', 'ab'],
          ['s', 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n'],
          ['s', ok],
          ...exchange,
        ],
        [
          ['c', 'GET / HTTP/1.0\r\n\r\n'],
          ['s', `HTTP/1.0 200 OK\r\n\r\n${get}${ok}`],
          ['s', 'end', true],
        ],
        [
          ['c', 'BREW /pot HTTP/1.1\n\n'],
          ['s', "HTTP/1.1 418 I'm a teapot\nContent-Length: 0\n\n"],
        ],
      ],
      { 'HEAD 200': 1, 'GET 200': 5, 'GET 304': 1, 'GET 204': 1, 'POST 200': 1, '_OTHER 418': 1 },
    );
  });

  test('counts what another protocol follows, and nothing of that', async () => {
    const upgrade = 'GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    const frames: Step[] = [['c', '\x81\x85abcd'], ['s', '\x82\x7e\0'], ...exchange];
    await expectCounted(
      [
        [['c', upgrade], ['s', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'], ...frames],
        [['c', 'CONNECT a:443 HTTP/1.1\r\n\r\n'], ['s', 'HTTP/1.1 200 OK\r\n\r\n'], ...frames],
        [['c', 'CONNECT a:443 HTTP/1.1\r\n\r\n'], ['s', ok.replace('200', '403')], ...exchange],
      ],
      { 'GET 101': 1, 'CONNECT 200': 1, 'CONNECT 403': 1, 'GET 200': 1 },
    );
  });

  test('leaves other protocols alone', async () => {
    const others = [
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\x16\x03\x01\x02\0\x01',
      '*1\r\n$4\r\nPING\r\n',
      'GET key\r\n',
      'EHLO a\r\n',
      'GET / HTTP/1.1 \r\n\r\n',
      `${'A'.repeat(100)} / HTTP/1.1\r\n\r\n`,
      '\0'.repeat(5000),
    ];
    await expectCounted(
      [
        ...others.map((first): Step[] => [['c', first], ['s', ok], ...exchange]),
        [['s', '220 mail.example.com ESMTP\r\n'], ...exchange],
        [['s', ok], ...exchange],
      ],
      {},
    );
  });

  test('counts requests whose connection ended before their response did, as such', async () => {
    await expectCounted(
      [
        [
          ['c', get],
          ['c', 'reset', true],
        ],
        [
          ['c', get + get],
          ['s', ok.slice(0, -1)],
          ['s', 'reset', true],
        ],
        [
          ['c', get],
          ['s', 'HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab'],
          ['s', 'end', true],
        ],
      ],
      { 'GET connection_closed': 2, 'GET 200 connection_closed': 1, 'GET 500 connection_closed': 1 },
    );
  });

  test('counts a response that comes before the end of its request', async () => {
    const tooLong = `GET /${'a'.repeat(9000)}`;
    await expectCounted(
      [
        [
          ['c', tooLong],
          ['s', 'HTTP/1.1 414 Too Long\r\nContent-Length: 0\r\n\r\n'],
        ],
        [
          ['c', 'POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab'],
          ['s', 'HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'],
          ['c', `cde${get}`],
          ['s', ok],
        ],
        [
          ...exchange,
          ['s', 'HTTP/1.0 408 Request Time-out\r\nConnection: close\r\n\r\n'],
          ['s', 'end', true],
        ],
      ],
      { 'GET 414': 1, 'POST 413': 1, 'GET 200': 2 },
    );
  });

  test('counts as uncounted what waits beyond 32 in a pipeline', async () => {
    await expectCounted([[['c', get.repeat(40)], ['s', ok.repeat(40)], ...exchange]], { 'GET 200': 33 }, 8);
  });

  test('goes on after a response that it cannot follow, and counts that as uncounted', async () => {
    const broken: Step[] = [
      ['c', get],
      ['s', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size'],
    ];
    await expectCounted([[...exchange, ...broken, ...exchange, ...exchange]], { 'GET 200': 3 }, 1);
  });

  test('counts requests that begin with the handshake of their connection, or complete it', async () => {
    // The listening socket gets the data: of a deferred accept with the last packet of the handshake, with TCP Fast Open
    // with the first, once the client has a cookie.
    const handshake = `
import socket
listener = socket.create_server(('127.0.0.1', 0))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN if FAST else socket.TCP_DEFER_ACCEPT, 10)
get = b'GET / HTTP/1.1\\r\\n' + b'Name: value\\r\\n' * 90 + b'\\r\\n'
post = b'POST / HTTP/1.1\\r\\nContent-Length: 2\\r\\n\\r\\nab'
def answer(request):
    left = len(request)
    while left: left -= len(server.recv(left))
    server.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
    client.recv(1000)
for _ in range(20):
    client = socket.socket()
    if FAST: client.sendto(get, socket.MSG_FASTOPEN, listener.getsockname())
    else:
        client.connect(listener.getsockname())
        client.sendall(get)
    server, _ = listener.accept()
    answer(get)
    client.sendall(post)
    answer(post)
`;
    const [deferred, fast] = [pod.addContainer('deferred'), pod.addContainer('fast')];
    const before = uncounted(await pod.scrape());
    await output(deferred, 'python3', '-c', `FAST = False\n${handshake}`);
    await output(fast, 'sh', '-c', 'echo 3 > /proc/sys/net/ipv4/tcp_fastopen');
    await output(fast, 'python3', '-c', `FAST = True\n${handshake}`);
    const samples = await pod.scrape();
    for (const name of ['deferred', 'fast'])
      for (const role of ['server', 'client'] as const)
        assert.deepEqual(counted(samples, role, name), { 'GET 200': 20, 'POST 200': 20 }, `${name} ${role}`);
    assert.equal(uncounted(samples), before);
  });

  test('picks up a connection that was there before the probe', async (t) => {
    const late = await podFor(t, { probes: 'network', pod: 'late' });
    const main = late.addContainer('web').spawn(
      [
        'python3',
        '-uc',
        `
import socket, sys
listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
for line in sys.stdin:
    client.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')
    server.recv(1000)
    server.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')
    client.recv(1000)
    print('done')
`,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const exchangeOnce = async () => {
      main.stdin!.write('\n');
      await once(main.stdout!, 'data');
    };
    await exchangeOnce();
    late.running.updateAnnotations({ 'bpf.sh/inject': 'true', 'bpf.sh/probes': 'http' });
    await eventually(async () =>
      assert.match(await (await fetch(late.url('/'))).text(), /^http: 4 program/m),
    );
    for (let i = 0; i < 3; i++) await exchangeOnce();
    const samples = await late.scrape();
    assert.deepEqual(counted(samples, 'server', 'web'), { 'GET 200': 3 });
    assert.deepEqual(counted(samples, 'client', 'web'), { 'GET 200': 3 });
  });

  test('loses nothing where packets are lost, sent again and come out of order', async (t) => {
    const web = pod.addContainer('lossy');
    const directory = directoryFor(t);
    const dropper = join(directory, 'drop.bpf.o');
    writeFileSync(
      dropper,
      await compileProgram(`
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
SEC("tc") int drop(struct __sk_buff *skb) { return bpf_get_prandom_u32() % 50 ? TC_ACT_OK : TC_ACT_SHOT; }`),
    );
    // Towards the pod and back. What is lost is sent again soon, so that the test is not long.
    const lossy = (device: string, subnet: string) => `
      tc qdisc add dev ${device} clsact
      tc filter add dev ${device} egress bpf direct-action object-file ${dropper} section tc
      ip route replace ${subnet} dev ${device} rto_min 5ms`;
    const address = pod.sandbox.address!;
    const { stdout } = spawn('ip', ['-o', 'route', 'get', address]);
    const [, device] = /dev (\S+)/.exec(await text(stdout)) ?? [];
    const subnet = address.replace(/[0-9]+$/, (last) => `${Number(last) - 2}/30`);
    await once(spawn('sh', ['-ec', lossy(device!, subnet)], { stdio: 'inherit' }), 'exit');
    await output(web, 'sh', '-ec', lossy('eth0', subnet));
    t.after(() => output(web, 'tc', 'qdisc', 'del', 'dev', 'eth0', 'clsact'));

    const before = uncounted(await pod.scrape());
    const { retransmits } = await kernelCounters(web);
    const server = await startNginx(web, directory, { port: 8100 });
    const client = spawn('python3', [load, address, '8100', '3000', '3'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await text(client.stdout!);
    await server.stop();
    assert.ok((await kernelCounters(web)).retransmits > retransmits);
    const samples = await pod.scrape();
    const missing = uncounted(samples) - before;
    t.diagnostic(`${missing} uncounted`);
    const all = Object.values(counted(samples, 'server', 'lossy')).reduce((sum, count) => sum + count, 0);
    assert.equal(all + missing, 3000);
    assert.deepEqual(counted(samples, 'server', 'lossy'), named(server.log()));
  });

  test('counts for the container that made a socket, whichever process uses it', async () => {
    const path = join(pod.sandbox.volumes, 'socket');
    const passing = `
import array, os, socket, sys
listener = socket.create_server(('127.0.0.1', 8200))
helper = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
helper.bind('${path}')
helper.listen()
print('ready', flush=True)
peer, _ = helper.accept()
connection, _ = listener.accept()
socket.send_fds(peer, [b'x'], [connection.fileno()])
connection.close()
peer.recv(1)
# A child serves the next one with the socket that it inherits.
connection, _ = listener.accept()
if os.fork() == 0:
    connection.recv(1000)
    connection.sendall(b'HTTP/1.1 202 OK\\r\\nContent-Length: 0\\r\\n\\r\\n')
    os._exit(0)
os.wait()
`;
    const serving = `
import socket
peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
peer.connect('${path}')
_, (fd,), _, _ = socket.recv_fds(peer, 1, 1)
connection = socket.socket(fileno=fd)
connection.recv(1000)
connection.sendall(b'HTTP/1.1 201 OK\\r\\nContent-Length: 0\\r\\n\\r\\n')
connection.close()
`;
    const asking = `
import socket
for _ in range(2):
    connection = socket.create_connection(('127.0.0.1', 8200))
    connection.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')
    while connection.recv(1000): pass
`;
    // Of another pod on the node, which has the sockets' directory too.
    const other = await startObservedPod({ probes: 'http', pod: 'other' });
    try {
      const owner = pod.addContainer('owner');
      const main = owner.spawn(['python3', '-c', passing], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(main.stdout!, 'data');
      const served = output(other.addContainer('helper'), 'python3', '-c', serving);
      await output(pod.addContainer('asker'), 'python3', '-c', asking);
      await Promise.all([served, main.exitCode ?? once(main, 'exit')]);
      const samples = await pod.scrape();
      assert.deepEqual(counted(samples, 'server', 'owner'), { 'GET 201': 1, 'GET 202': 1 });
      assert.deepEqual(counted(samples, 'client', 'asker'), { 'GET 201': 1, 'GET 202': 1 });
      const others = await other.scrape();
      assert.equal(others.sum('bpf_http_server_request_duration_seconds_count'), 0);
    } finally {
      await other.stop();
    }
  });

  test('counts nothing of another pod, nor of the sidecar, which answers scrapes', async (t) => {
    const other = await podFor(t, { probes: 'http', pod: 'other' });
    const before = await pod.scrape();
    await play(other.addContainer('web'), [[...exchange, ...exchange]]);
    const name = 'bpf_http_server_request_duration_seconds_count';
    assert.equal((await pod.scrape()).sum(name), before.sum(name));
    const samples = await other.scrape();
    assert.equal(samples.sum(name), 2);
    assert.equal(samples.value(name, { container: 'web' }), 2);
  });
});
