import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { createLog } from '../../sidecar/contract/log.ts';
import { createAuthority } from '../../webhook/certificates/authority.ts';
import { createMetrics } from '../../webhook/metrics.ts';
import { createMutate } from '../../webhook/reviews/mutate.ts';
import { createTemplateCheck } from '../../webhook/reviews/templates.ts';
import { close, createServer, listen } from '../../webhook/server.ts';
import { createClient, mutateCall } from './client.ts';
import { askingPod, config, type Raw, readPod, reviewOf } from './fixtures.ts';

const authority = await createAuthority();
const metrics = createMetrics();
const lines: Raw[] = [];
let logged = () => {};
const log = createLog((line) => {
  lines.push(JSON.parse(line));
  logged();
});
const admission = { config: { sidecar: config, invalidAnnotations: 'admit' as const }, metrics, log };
const server = createServer({
  credentials: await authority.issue(['127.0.0.1']),
  answers: { '/mutate': createMutate(admission), '/templates': createTemplateCheck(admission) },
  metrics,
  log,
});
let call: ReturnType<typeof createClient>;

before(async () => {
  call = createClient(await listen(server, 0, '127.0.0.1'), authority.certificate);
});
after(() => close(server, 0));

/** Resolves to the first log line that matches, now or later. */
async function logLine(matches: (line: Raw) => boolean): Promise<Raw> {
  for (;;) {
    const line = lines.find(matches);
    if (line) return line;
    await new Promise<void>((resolve) => {
      logged = resolve;
    });
  }
}

/** A client that has sent the head of a review and half of its body. */
async function slowClient(): Promise<TLSSocket> {
  const { port } = server.address() as { port: number };
  const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate });
  await once(socket, 'secureConnect');
  socket.write(
    'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"ki',
  );
  return socket;
}

test('a review over TLS is answered with a patch', async () => {
  const { status, headers, body } = await call(mutateCall(reviewOf(readPod('deployment'), 'u-1')));
  assert.equal(status, 200);
  assert.match(`${headers['content-type']}`, /^application\/json/);
  assert.equal(headers['x-powered-by'], undefined);
  const { response } = JSON.parse(body);
  assert.equal(response.uid, 'u-1');
  assert.equal(response.patchType, 'JSONPatch');
});

test('a decision is logged with pod, result and reason', async () => {
  await call(mutateCall(reviewOf(readPod('inject-false'), 'u-2')));
  const { time: _, ...line } = lines.find(({ uid }) => uid === 'u-2');
  assert.deepEqual(line, {
    level: 'info',
    msg: 'admission',
    namespace: 'shop',
    pod: 'quiet',
    uid: 'u-2',
    result: 'skipped',
    reason: 'disabled',
    messages: ['annotation bpf.sh/inject is "false"'],
  });
});

test('the review of a workload is answered with warnings, logged and counted', async () => {
  const review = reviewOf(
    { metadata: { name: 'shop' }, spec: { template: askingPod({ prob: 'tcp' }) } },
    'u-3',
  );
  review.request.kind = { group: 'apps', version: 'v1', kind: 'Deployment' };
  const { status, body } = await call({ ...mutateCall(review), path: '/templates' });
  assert.equal(status, 200);
  const { response } = JSON.parse(body);
  assert.deepEqual([response.uid, response.allowed], ['u-3', true]);
  assert.match(response.warnings[0], /^pods will get no bpf-sidecar \(invalid-annotation\): /);
  const { time: _, messages, ...line } = lines.find(({ uid }) => uid === 'u-3');
  assert.deepEqual(line, {
    level: 'warn',
    msg: 'template',
    namespace: 'shop',
    kind: 'apps/v1/Deployment',
    name: 'shop',
    uid: 'u-3',
    reason: 'invalid-annotation',
  });
  assert.match(messages[0], /bpf\.sh\/prob="tcp": unknown annotation/);
  const metrics = await call({ path: '/metrics' });
  assert.match(metrics.body, /^bpf_webhook_templates_total\{reason="invalid-annotation"\} 1$/m);
  assert.match(metrics.body, /^bpf_webhook_admission_duration_seconds_count\{path="\/templates"\} 1$/m);
});

const json = { 'content-type': 'application/json' };
const refused: [what: string, headers: Record<string, string>, body: string, status: number, text: RegExp][] =
  [
    ['a body that is not JSON', json, '{"kind":', 400, /^the body is not JSON: .+\n$/],
    ['an empty body', json, '', 400, /^the body must be an AdmissionReview .+\n$/],
    ['JSON that is no review', json, '{}', 400, /^the body must be an AdmissionReview .+\n$/],
    [
      'a body above 3 MiB',
      json,
      `"${'x'.repeat(3 * 1024 * 1024)}"`,
      413,
      /^the body is above the limit of 3145728 bytes\n$/,
    ],
    [
      'another content type',
      { 'content-type': 'text/yaml' },
      'a: 1',
      415,
      /^the content type must be application\/json\n$/,
    ],
    ['no content type', {}, '{}', 415, /^the content type must be application\/json\n$/],
    ['a compressed body', { ...json, 'content-encoding': 'gzip' }, 'x', 415, /without a content encoding\n$/],
  ];

for (const [what, headers, body, status, text] of refused) {
  test(`${what} is refused with ${status} and one sentence`, async () => {
    const answer = await call({ method: 'POST', path: '/mutate', headers, body });
    assert.equal(answer.status, status);
    assert.match(answer.body, text);
    assert.equal((await call(mutateCall(reviewOf(readPod('job'))))).status, 200);
  });
}

test('another method and another path are refused', async () => {
  const method = await call({ path: '/mutate' });
  assert.deepEqual([method.status, method.headers.allow], [405, 'POST']);
  assert.equal((await call({ path: '/mutate/x' })).status, 404);
});

test('health and readiness are answered', async () => {
  assert.equal((await call({ path: '/healthz' })).status, 200);
  assert.equal((await call({ path: '/readyz' })).status, 200);
});

test('a client that stops in the middle of its body keeps nobody waiting', async () => {
  const slow = await slowClient();
  assert.equal((await call(mutateCall(reviewOf(readPod('job'))))).status, 200);
  slow.destroy();
  await logLine(({ reason }) => reason === 'incomplete');
  assert.equal((await call(mutateCall(reviewOf(readPod('job'))))).status, 200);
});

test('a client that trusts another CA gets no answer', async () => {
  const { port } = server.address() as { port: number };
  const stranger = createClient(`https://127.0.0.1:${port}`, (await createAuthority()).certificate);
  await assert.rejects(stranger({ path: '/healthz' }), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
});

test('a failed TLS handshake is logged', async () => {
  const { port } = server.address() as { port: number };
  const plain = connectPlain(port, '127.0.0.1');
  plain.write('GET /healthz HTTP/1.1\r\n\r\n');
  const { error } = await logLine(({ msg }) => msg === 'TLS handshake failed');
  assert.match(error, /http request/);
  plain.destroy();
});

test('admissions are counted by result and reason', async () => {
  metrics.registry.resetMetrics();
  await call(mutateCall(reviewOf(readPod('deployment'))));
  await call(mutateCall(reviewOf(readPod('deployment'))));
  await call(mutateCall(reviewOf(readPod('no-annotations'))));
  await call({ method: 'POST', path: '/mutate', headers: json, body: '{' });
  const { body } = await call({ path: '/metrics' });
  assert.match(body, /^bpf_webhook_admissions_total\{result="injected",reason=""\} 2$/m);
  assert.match(body, /^bpf_webhook_admissions_total\{result="skipped",reason="not-requested"\} 1$/m);
  assert.match(body, /^bpf_webhook_admissions_total\{result="error",reason="not-json"\} 1$/m);
  assert.match(body, /^bpf_webhook_admission_duration_seconds_bucket\{le="0\.0005",path="\/mutate"\} \d$/m);
  assert.match(body, /^bpf_webhook_admission_duration_seconds_count\{path="\/mutate"\} 4$/m);
});
