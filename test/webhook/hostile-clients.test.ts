import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type Server } from 'node:https';
import { type AddressInfo, connect as connectPlain, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { type ConnectionOptions, connect, type SecureVersion, type TLSSocket } from 'node:tls';
import { createAuthority } from '../../webhook/certificates/authority.ts';
import { createMetrics } from '../../webhook/metrics.ts';
import { createMutate } from '../../webhook/reviews/mutate.ts';
import { close, createServer, limits, listen } from '../../webhook/server.ts';
import { type Answer, createClient, mutateCall } from './client.ts';
import { askingPod, config, type Raw, readPod, reviewOf } from './fixtures.ts';

const authority = await createAuthority();
const metrics = createMetrics();
const log = () => {};
const mutate = createMutate({
  config: { sidecar: config, invalidAnnotations: 'admit' },
  metrics,
  log,
});
const credentials = await authority.issue(['127.0.0.1']);
const serve = (bounds = limits) =>
  createServer({ credentials, answers: { '/mutate': mutate }, metrics, log, bounds });

/** As in a cluster. */
const server = serve();
/** With less patience, and room for fewer. */
const impatient = serve({ ...limits, handshake: 1000, head: 1000, request: 1500, check: 50 });
const small = serve({ ...limits, connections: 50, handshake: 1000 });
let call: ReturnType<typeof createClient>;
let callImpatient: ReturnType<typeof createClient>;
let callSmall: ReturnType<typeof createClient>;

before(async () => {
  call = createClient(await listen(server, 0, '127.0.0.1'), authority.certificate);
  callImpatient = createClient(await listen(impatient, 0, '127.0.0.1'), authority.certificate);
  callSmall = createClient(await listen(small, 0, '127.0.0.1'), authority.certificate);
});
after(() => Promise.all([server, impatient, small].map((each) => close(each, 0))));

/** A connection without TLS. */
async function dialPlain(to: Server): Promise<Socket> {
  const { port } = to.address() as AddressInfo;
  const socket = connectPlain(port, '127.0.0.1').on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return socket;
}

async function dial(to: Server, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { port } = to.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate, ...options });
  await once(socket, 'secureConnect');
  // A reset, when the server does not read to the end.
  socket.on('error', () => {});
  return socket;
}

/** Everything that the server says until the connection is closed. */
async function saidUntilClosed(socket: Socket): Promise<string> {
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk;
  });
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return said;
}

/** Writes `piece` again and again, slowly, for as long as the connection is open. */
function drip(socket: Socket, piece: string): void {
  const timer = setInterval(() => socket.write(piece), 20);
  socket.once('close', () => clearInterval(timer));
}

async function assertServes(calling = call): Promise<void> {
  const { status, body } = await calling(mutateCall(reviewOf(readPod('deployment'))));
  assert.equal(status, 200);
  assert.equal(JSON.parse(body).response.patchType, 'JSONPatch');
}

const head =
  'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n';

test('a client that sends its head drop by drop is cut off, and keeps nobody waiting', async () => {
  const socket = await dial(impatient);
  socket.write(head);
  drip(socket, 'X-More: 1\r\n');
  const said = saidUntilClosed(socket);
  await assertServes(callImpatient);
  assert.match(await said, /^HTTP\/1\.1 408 /);
  await assertServes(callImpatient);
});

test('a client that sends its body drop by drop is cut off', async () => {
  const socket = await dial(impatient);
  socket.write(`${head}\r\n`);
  drip(socket, '1\r\n \r\n');
  const said = saidUntilClosed(socket);
  await assertServes(callImpatient);
  assert.match(await said, /^HTTP\/1\.1 408 /);
  await assertServes(callImpatient);
});

test('a client that says nothing after the handshake is cut off', async () => {
  assert.match(await saidUntilClosed(await dial(impatient)), /^HTTP\/1\.1 408 /);
});

test('a client that says nothing at all is cut off', async () => {
  assert.equal(await saidUntilClosed(await dialPlain(impatient)), '');
});

test('a body without end is not kept, and its client cut off', async () => {
  const socket = await dial(impatient);
  socket.write(`${head}\r\n`);
  const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
  const pour = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', pour);
  pour();
  await saidUntilClosed(socket);
  assert.ok(socket.bytesWritten > limits.body, 'it was read beyond the limit');
  await assertServes(callImpatient);
});

test('a body that is announced to be huge and does not come is cut off', async () => {
  const socket = await dial(impatient);
  socket.write(
    'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n',
  );
  assert.match(await saidUntilClosed(socket), /^HTTP\/1\.1 408 /);
});

test('a head above 16 KiB is refused', async () => {
  const socket = await dial(server);
  socket.write(`${head}X-Big: ${'x'.repeat(17 * 1024)}\r\n\r\n`);
  assert.match(await saidUntilClosed(socket), /^HTTP\/1\.1 431 /);
});

for (const [what, bytes] of [
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['noise', '\u0000\u0001\u0002\u0003\r\n\r\n'],
  ['two lengths', 'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}'],
  [
    'a length and chunks',
    'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
] as const) {
  test(`${what} in the place of a request is refused with 400`, async () => {
    const socket = await dial(server);
    socket.write(bytes);
    assert.match(await saidUntilClosed(socket), /^HTTP\/1\.1 400 /);
    await assertServes();
  });
}

for (const version of ['TLSv1', 'TLSv1.1'] as const satisfies SecureVersion[]) {
  test(`${version} is refused`, async () => {
    // Without the lower security level this OpenSSL would not even offer it.
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' };
    await assert.rejects(dial(server, old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  });
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const satisfies SecureVersion[]) {
  test(`${version} is spoken`, async () => {
    const socket = await dial(server, { minVersion: version, maxVersion: version });
    assert.equal(socket.getProtocol(), version);
    socket.destroy();
  });
}

/** The review of a pod with lists in lists, which JSON.stringify could not write, in the place of "DEEP". */
function deepReview(pod: Raw): string {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  return JSON.stringify(reviewOf(pod)).replaceAll('"DEEP"', deep);
}

const deepPods: [where: string, pod: Raw][] = [
  ['an annotation', askingPod({ probes: 'DEEP' })],
  ['the labels', { ...askingPod(), metadata: { ...askingPod().metadata, labels: 'DEEP' } }],
  ['the name', { ...askingPod(), metadata: { ...askingPod().metadata, name: 'DEEP' } }],
  ['the spec', { ...askingPod(), spec: 'DEEP' }],
  ['the containers', askingPod({}, { containers: 'DEEP' })],
  ["a container's name", askingPod({}, { containers: [{ name: 'DEEP', ports: [{ containerPort: 9387 }] }] })],
  ["a container's ports", askingPod({}, { containers: [{ name: 'DEEP', ports: 'DEEP' }] })],
  [
    'the limits',
    askingPod({}, { containers: [{ name: 'web', resources: { limits: { cpu: 'DEEP', memory: 'DEEP' } } }] }),
  ],
  ['the volumes', askingPod({}, { volumes: [{ name: 'bpf-sidecar-cgroup', hostPath: 'DEEP' }] })],
  [
    'a sidecar',
    askingPod(
      { status: '{}' },
      { initContainers: [{ name: 'bpf-sidecar', env: 'DEEP', args: 'DEEP', volumeMounts: [{ x: 'DEEP' }] }] },
    ),
  ],
  ['the runtime class', askingPod({}, { runtimeClassName: 'DEEP', os: 'DEEP', hostUsers: 'DEEP' })],
  ['the owners', { ...askingPod({ probes: 'x' }), metadata: { ownerReferences: 'DEEP' } }],
];

for (const [where, pod] of deepPods) {
  test(`${where} of 100,000 levels: the pod is admitted`, async () => {
    const { status, body } = await call({ ...mutateCall({}), body: deepReview(pod) });
    assert.equal(status, 200, body);
    assert.equal(JSON.parse(body).response.allowed, true);
  });
}

test('JSON that is nothing but depth is refused with 400', async () => {
  for (const body of [`${'['.repeat(1_500_000)}${']'.repeat(1_500_000)}`, '['.repeat(3_000_000)]) {
    const { status } = await call({ ...mutateCall({}), body });
    assert.equal(status, 400);
  }
  await assertServes();
});

test('names of JavaScript in the place of keys change nothing', async () => {
  const pod = JSON.stringify(askingPod()).replace(
    '"bpf.sh/inject":"true"',
    '"bpf.sh/inject":"true","__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}',
  );
  const { status, body } = await call({
    ...mutateCall({}),
    body: JSON.stringify(reviewOf('POD')).replace('"POD"', pod),
  });
  assert.equal(status, 200);
  assert.ok(JSON.parse(body).response.patch);
  assert.equal(({} as Raw).polluted, undefined);
});

/** Connections that have asked once and are kept. */
async function idlers(to: Server, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = await dial(to);
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(socket, 'data');
      return socket;
    }),
  );
}

async function dropped(): Promise<number> {
  return (await metrics.droppedConnections.get()).values[0]?.value ?? 0;
}

test('connections that are kept without use give way when there are too many', async () => {
  metrics.registry.resetMetrics();
  const kept = await idlers(small, 50);
  const closed = Promise.all(kept.map(saidUntilClosed));
  assert.equal(await dropped(), 0);
  await assert.rejects(dial(small), { code: 'ECONNRESET' });
  assert.equal(await dropped(), 1);
  await closed;
  await assertServes(callSmall);
});

test('connections that never ask anything make room in time', async () => {
  metrics.registry.resetMetrics();
  const silent = await Promise.all(Array.from({ length: 50 }, () => dialPlain(small)));
  await Promise.all(silent.map(saidUntilClosed));
  await assertServes(callSmall);
});

test('reviews are answered while others hold connections and send slowly', async () => {
  const kept = await idlers(server, 10);
  const slow = await Promise.all(Array.from({ length: 10 }, () => dial(server)));
  for (const socket of slow) {
    socket.write(`${head}\r\n`);
    drip(socket, '1\r\n \r\n');
  }
  const agent = new Agent({ keepAlive: true, maxSockets: 10, ca: authority.certificate });
  const review = mutateCall(reviewOf(readPod('deployment')));
  const answers: Answer[] = await Promise.all(Array.from({ length: 1000 }, () => call({ ...review, agent })));
  assert.ok(answers.every(({ status, body }) => status === 200 && body.includes('"patch":')));
  agent.destroy();
  for (const socket of [...kept, ...slow]) socket.destroy();
});
