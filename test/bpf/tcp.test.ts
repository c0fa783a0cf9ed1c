import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { lasting, placeOf } from '../../scripts/node/place.ts';
import { cgroupId } from '../../sidecar/pod/cgroups.ts';
import { startProbe } from '../../sidecar/probe.ts';
import { builtinProbe } from '../../sidecar/source.ts';
import { eventually } from '../support/eventually.ts';
import { type ObservedPod, output, startObservedPod } from '../support/pod.ts';
import { kernelCounters, transfer } from '../support/traffic.ts';

describe('the tcp probe', () => {
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: 'tcp' });
  });
  after(() => pod.stop());

  const connections = async (container: string) => {
    const samples = await pod.scrape();
    const of = (name: string) => samples.sum(`bpf_tcp_${name}_total`, { container });
    return {
      opened: of('connections_opened'),
      accepted: of('connections_accepted'),
      failed: of('connections_failed'),
      closed: of('connections_closed'),
      sent: of('sent_bytes'),
      received: of('received_bytes'),
    };
  };

  test('counts an incoming connection and each byte of its payload once', async () => {
    const web = pod.addContainer('web');
    const before = await kernelCounters(web);
    await transfer(web, pod.sandbox.address!, 5_000_000, 3_000_000);
    const expected = { opened: 0, accepted: 1, failed: 0, closed: 1, sent: 3_000_000, received: 5_000_000 };
    await eventually(async () => assert.deepEqual(await connections('web'), expected));
    const { retransmits } = await kernelCounters(web);
    const samples = await pod.scrape();
    assert.equal(
      samples.value('bpf_tcp_retransmits_total', { container: 'web' }),
      retransmits - before.retransmits,
    );
    assert.ok(samples.value('bpf_tcp_rtt_seconds_count', { container: 'web' }) > 0);
  });

  test('counts outgoing connections, and those that are refused', async () => {
    const client = pod.addContainer('client');
    const server = createServer((socket) => socket.resume().end());
    server.listen(0);
    await once(server, 'listening');
    after(() => server.close());
    const { port } = server.address() as { port: number };
    const closed = createServer().listen(0);
    await once(closed, 'listening');
    const { port: nobody } = closed.address() as { port: number };
    closed.close();
    const gateway = await output(client, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
    await output(
      client,
      'python3',
      '-c',
      `
import socket
for _ in range(7):
    with socket.create_connection(("${gateway}", ${port})) as connection:
        connection.sendall(b'x' * 100)
        while connection.recv(100): pass
for _ in range(5):
    try: socket.create_connection(("${gateway}", ${nobody}))
    except ConnectionRefusedError: pass
`,
    );
    const expected = { opened: 7, accepted: 0, failed: 5, closed: 7, sent: 700, received: 0 };
    await eventually(async () => assert.deepEqual(await connections('client'), expected));
    const samples = await pod.scrape();
    assert.equal(samples.value('bpf_tcp_connect_seconds_count', { container: 'client' }), 7);
    const connecting = samples.value('bpf_tcp_connect_seconds_sum', { container: 'client' });
    assert.ok(connecting > 0 && connecting < 7, `${connecting} s for 7 connections on this machine`);
    const refused = { container: 'client', error_type: 'refused' };
    assert.equal(samples.value('bpf_tcp_connections_failed_total', refused), 5);
    assert.equal(samples.value('bpf_tcp_connection_duration_seconds_count', { container: 'client' }), 7);
    // Each SYN to the closed port was answered by a reset.
    assert.equal(samples.value('bpf_tcp_resets_received_total', { container: 'client' }), 5);
  });

  test('counts bytes while a connection is open', async () => {
    const download = pod.addContainer('download');
    const server = createServer((socket) => socket.write(Buffer.alloc(1_000_000)));
    server.listen(0);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const gateway = await output(download, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
    const reader = download.spawn(
      [
        'python3',
        '-c',
        `import socket\nc = socket.create_connection(("${gateway}", ${port}))\nwhile c.recv(65536): pass`,
      ],
      { stdio: 'ignore' },
    );
    after(() => {
      reader.kill();
      server.close();
    });
    await eventually(async () => {
      const { received, closed } = await connections('download');
      assert.deepEqual({ received, closed }, { received: 1_000_000, closed: 0 });
    });
    const samples = await pod.scrape();
    assert.equal(samples.value('bpf_tcp_connections_active', { container: 'download' }), 1);
    assert.equal(samples.value('bpf_tcp_connections_active', { container: 'client' }), 0);
  });

  test('counts nothing of the connections that a sidecar before this one counted', async () => {
    const old = pod.addContainer('old');
    const server = createServer((socket) => socket.pipe(socket));
    server.listen(0);
    await once(server, 'listening');
    after(() => server.close());
    const { port } = server.address() as { port: number };
    const gateway = await output(old, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
    const echo = old.spawn(
      [
        'python3',
        '-uc',
        `
import socket, sys
connection = socket.create_connection(("${gateway}", ${port}))
for line in sys.stdin:
    connection.sendall(b'x' * 1000)
    connection.recv(1000, socket.MSG_WAITALL)
    print('sent', flush=True)
`,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const send = async () => {
      echo.stdin!.write('\n');
      await once(echo.stdout!, 'data');
    };
    await send();
    // A second sidecar's probe on the same pod: to it the connection is older than itself.
    const place = placeOf(pod.sandbox, pod.sidecar);
    const context = { containerName: String, ...lasting, wantsContainer: () => true, generation: () => 0 };
    const next = startProbe(builtinProbe('tcp'), place, context);
    after(() => next.close());
    await send();
    echo.stdin!.end();
    await once(echo, 'exit');
    await eventually(async () => assert.equal((await connections('old')).closed, 1));
    assert.deepEqual(await connections('old'), {
      opened: 1,
      accepted: 0,
      failed: 0,
      closed: 1,
      sent: 2000,
      received: 2000,
    });
    const container = `container="${cgroupId(old.cgroup)}"`;
    for (const { series } of next.read()) for (const { labels } of series) assert.notEqual(labels, container);
  });

  test('counts what is sent again as the kernel does', async () => {
    const lost = pod.addContainer('lost');
    // An address whose neighbour is not there: every SYN is lost.
    await output(
      pod.sidecar,
      'sh',
      '-c',
      'ip route add 198.51.100.1/32 dev eth0 && ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:99 dev eth0',
    );
    const before = await kernelCounters(lost);
    await output(
      lost,
      'python3',
      '-c',
      `
import socket
try: socket.create_connection(("198.51.100.1", 80), timeout=1.5)
except TimeoutError: pass
`,
    );
    const { retransmits } = await kernelCounters(lost);
    assert.ok(retransmits > before.retransmits);
    const samples = await pod.scrape();
    assert.equal(
      samples.value('bpf_tcp_retransmits_total', { container: 'lost' }),
      retransmits - before.retransmits,
    );
    const aborted = { container: 'lost', error_type: 'aborted' };
    assert.equal(samples.value('bpf_tcp_connections_failed_total', aborted), 1);
  });

  test('counts a reset for the pod that sends it and the one that gets it, and how long connections lasted', async () => {
    const [server, client] = [pod.addContainer('server'), pod.addContainer('resetting')];
    const listener = server.spawn(
      [
        'python3',
        '-uc',
        `
import socket
server = socket.create_server(('127.0.0.1', 7000))
print('listening', flush=True)
for _ in range(3):
    connection, _ = server.accept()
    try:
        while connection.recv(100): pass
    except ConnectionResetError: pass
`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const ended = once(listener, 'exit');
    await once(listener.stdout!, 'data');
    await output(
      client,
      'python3',
      '-c',
      `
import socket, struct, time
for _ in range(3):
    connection = socket.create_connection(('127.0.0.1', 7000))
    time.sleep(0.3)
    # Closing with a linger of zero seconds resets the connection.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()
`,
    );
    await ended;
    const samples = await pod.scrape();
    const of = (name: string, container: string) => samples.value(`bpf_tcp_${name}`, { container });
    assert.equal(of('resets_received_total', 'server'), 3);
    assert.equal(of('connections_closed_total', 'server'), 3);
    for (const container of ['server', 'resetting']) {
      assert.equal(of('connection_duration_seconds_count', container), 3);
      const lasted = of('connection_duration_seconds_sum', container);
      assert.ok(lasted >= 0.9 && lasted < 3, `${lasted} s`);
    }
  });

  test('has no series of the sidecar, which accepted every scrape', async () => {
    const { all } = await pod.scrape();
    const containers = new Set(
      all.filter(({ name }) => name.startsWith('bpf_tcp_connections')).map(({ labels }) => labels.container),
    );
    assert.deepEqual([...containers].sort(), [
      'client',
      'download',
      'lost',
      'old',
      'resetting',
      'server',
      'web',
    ]);
  });
});
