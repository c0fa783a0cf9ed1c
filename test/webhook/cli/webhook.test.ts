import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { connect } from 'node:tls';
import { createClient, mutateCall } from '../client.ts';
import { askingPod, readPod, reviewOf } from '../fixtures.ts';
import { run, start } from './executable.ts';

const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
after(() => rmSync(directory, { recursive: true }));
const caFile = join(directory, 'ca.pem');
const argv = ['webhook', '--image', 'x:1', '--host', '127.0.0.1', '--port', '0', '--ca-out', caFile];

/** Starts the webhook; `line` resolves to its next log line with the given message. */
async function startWebhook(options = argv) {
  const child = start([
    ...options,
    ...['localhost', '127.0.0.1', '::1'].flatMap((name) => ['--dns-name', name]),
  ]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (msg: string) => {
    for (;;) {
      const { value, done } = await lines.next();
      assert.ok(!done, `the webhook ended before it logged "${msg}"`);
      const parsed = JSON.parse(value);
      if (parsed.msg === msg) return parsed;
    }
  };
  const { address } = await line('ready');
  return { child, line, address: address as string, ca: readFileSync(caFile, 'utf8') };
}

test('the webhook serves with a certificate of the CA that it wrote', async () => {
  const { child, line, address, ca } = await startWebhook();
  const call = createClient(address, ca);
  const { status, body } = await call(mutateCall(reviewOf(readPod('deployment'))));
  assert.equal(status, 200);
  const [operation] = JSON.parse(Buffer.from(JSON.parse(body).response.patch, 'base64').toString());
  assert.equal(operation.value[0].image, 'x:1');
  assert.equal((await line('admission')).result, 'injected');
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'close'), [0, null]);
});

test('pods may ask for the BPF resources of --programs, and for no others', async () => {
  const file = join(directory, 'bpf.yaml');
  const reference = { configMapKeyRef: { name: 'loop', key: 'loop.bpf.o' } };
  const resource = { apiVersion: 'bpf.sh/v1alpha1', kind: 'BPF', metadata: { name: 'loop' } };
  writeFileSync(file, JSON.stringify({ ...resource, spec: { program: { valueFrom: reference } } }));
  const { child, line, address, ca } = await startWebhook([...argv, '--programs', file]);
  const call = createClient(address, ca);
  for (const [name, reason] of [
    ['loop', ''],
    ['pool', 'program-missing'],
  ] as const) {
    await call(mutateCall(reviewOf(askingPod({ programs: name }))));
    assert.equal((await line('admission')).reason, reason);
  }
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'close'), [0, null]);
});

for (const [what, contents, message] of [
  ['no YAML', 'a: [', /--programs .*bpf\.yaml: Flow sequence .*/],
  [
    'another kind',
    'kind: Pod',
    /--programs .*bpf\.yaml: must be of apiVersion bpf\.sh\/v1alpha1 and kind BPF/,
  ],
  [
    'a mistake',
    'apiVersion: bpf.sh/v1alpha1\nkind: BPF\nmetadata: { name: loop }\nspec: { program: {} }',
    /--programs .*bpf\.yaml: spec\.program\.valueFrom: must be a mapping, not left out/,
  ],
] as const) {
  test(`a file of --programs with ${what} is one sentence and exit code 2`, async () => {
    const file = join(directory, 'bpf.yaml');
    writeFileSync(file, contents);
    const { code, stderr } = await run([...argv, '--dns-name', 'x', '--programs', file]);
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.match(stderr, /^bpf-sidecar webhook: [^\n]+\n$/);
  });
}

test('without an address to listen on it serves IPv6 and IPv4', {
  skip:
    Object.values(networkInterfaces())
      .flat()
      .every((one) => one?.address !== '::1') && 'there is no IPv6 here',
}, async () => {
  const everywhere = argv.filter((_, index) => argv[index] !== '--host' && argv[index - 1] !== '--host');
  const { child, address, ca } = await startWebhook(everywhere);
  for (const host of ['[::1]', '127.0.0.1']) {
    const call = createClient(`https://${host}:${new URL(address).port}`, ca);
    assert.equal((await call(mutateCall(reviewOf(readPod('deployment'))))).status, 200);
  }
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'close'), [0, null]);
});

test('after SIGTERM a request in flight is answered, and the process ends with 0', async () => {
  const { child, line, address, ca } = await startWebhook();
  const { hostname, port } = new URL(address);
  const body = JSON.stringify(reviewOf(readPod('deployment'), 'in-flight'));
  const socket = connect({ host: hostname, port: Number(port), ca });
  await once(socket, 'secureConnect');
  const head = `POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  // The server says 100 when it has read the head: from here on the request is in flight.
  socket.write(`${head}Expect: 100-continue\r\n\r\n`);
  const [interim] = await once(socket, 'data');
  assert.match(`${interim}`, /^HTTP\/1\.1 100 /);

  child.kill('SIGTERM');
  await line('ending');
  socket.write(body);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(answer, /\r\nConnection: close\r\n/);
  assert.match(answer, /"uid":"in-flight"/);
  assert.deepEqual(await once(child, 'close'), [0, null]);
});

test('after SIGTERM a review by a connection that was kept is answered, and is the last one', async () => {
  const { child, line, address, ca } = await startWebhook();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const call = createClient(address, ca);
  const review = { ...mutateCall(reviewOf(readPod('deployment'))), agent };
  assert.equal((await call(review)).headers.connection, 'keep-alive');
  child.kill('SIGTERM');
  await line('ending');
  const { status, headers } = await call(review);
  assert.deepEqual([status, headers.connection], [200, 'close']);
  assert.deepEqual(await once(child, 'close'), [0, null]);
});

test('a port in use is one sentence and exit code 1', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const { code, stderr } = await run([...argv, '--dns-name', 'localhost', '--port', `${port}`]);
  other.close();
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `bpf-sidecar webhook: cannot listen on 127.0.0.1 port ${port}: the port is in use; choose another with --port\n`,
  );
});

const wrong: [what: string, more: string[], code: number, message: RegExp][] = [
  ['no DNS name', [], 2, /--dns-name is missing; see --help/],
  ['a bad DNS name', ['--dns-name', 'a b'], 2, /--dns-name a b: must be a DNS name or an IP address/],
  ['a bad port', ['--dns-name', 'x', '--port', '70000'], 2, /--port 70000: must be a number from 0 to 65535/],
  ['an argument', ['--dns-name', 'x', 'serve'], 2, /Unexpected argument 'serve'/],
  ['an option without its value', ['--dns-name'], 2, /'--dns-name <value>' argument missing; see --help/],
  [
    'a CA file in no directory',
    ['--dns-name', 'x', '--ca-out', join(directory, 'none', 'ca.pem')],
    1,
    /--ca-out .*ca\.pem: cannot write the file: ENOENT/,
  ],
];

for (const [what, more, exitCode, message] of wrong) {
  test(`${what} is one sentence and exit code ${exitCode}`, async () => {
    const { code, stderr } = await run([...argv, ...more]);
    assert.equal(code, exitCode);
    assert.match(stderr, message);
    assert.match(stderr, /^bpf-sidecar webhook: [^\n]+\n$/);
  });
}

const inCluster: [what: string, args: string[], message: RegExp][] = [
  [
    'what the configuration file tells',
    ['--config', 'x.yaml', '--image', 'x:1'],
    /--image is told by the file of --config; leave it out/,
  ],
  [
    'a configuration file that is not there',
    ['--config', 'none.yaml'],
    /--config none\.yaml: cannot be read: ENOENT/,
  ],
  ['a kubeconfig without a configuration', ['--kubeconfig', 'x'], /--kubeconfig needs --config; see --help/],
];

for (const [what, args, message] of inCluster) {
  test(`${what} is one sentence and exit code 2`, async () => {
    const { code, stderr } = await run(['webhook', ...args]);
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.match(stderr, /^bpf-sidecar webhook: [^\n]+\n$/);
  });
}
