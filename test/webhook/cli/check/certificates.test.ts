import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createServer } from 'node:tls';
import { createAuthority, makeAuthority } from '../../../../webhook/certificates/authority.ts';
import { handshake, judgeBundles } from '../../../../webhook/cli/check/certificates.ts';

const day = 86_400_000;
const began = Date.UTC(2026, 0, 1);
const old = await makeAuthority(began - 300 * day, 365 * day);
const young = await makeAuthority(began, 365 * day);

const encode = (...pems: string[]) => Buffer.from(pems.join('')).toString('base64');
const judge = (bundle: string, now: number) =>
  judgeBundles(new Map([['pods.bpf.sh', bundle]]), now).map(({ level, text }) => `${level} ${text}`);

test('each CA of a bundle is told with its end, and an expired one does no harm beside another', () => {
  const bundle = encode(old.cert, young.cert);
  assert.deepEqual(judge(bundle, began + 10 * day), [
    'ok caBundle of pods.bpf.sh: CA 1 of 2 is valid until 2026-03-07 00:00 UTC (55 days)',
    'ok caBundle of pods.bpf.sh: CA 2 of 2 is valid until 2027-01-01 00:00 UTC (355 days)',
  ]);
  assert.deepEqual(judge(bundle, began + 100 * day), [
    'warn caBundle of pods.bpf.sh: CA 1 of 2 has expired: it was valid until 2026-03-07 00:00 UTC',
    'ok caBundle of pods.bpf.sh: CA 2 of 2 is valid until 2027-01-01 00:00 UTC (265 days)',
  ]);
});

test('a last CA that ends soon is a warning, and one that has ended a failure', () => {
  const bundle = encode(old.cert);
  assert.deepEqual(judge(bundle, began + 63.5 * day), [
    'warn caBundle of pods.bpf.sh: its CA is valid until 2026-03-07 00:00 UTC (1 day), and none that is valid longer is there',
  ]);
  assert.deepEqual(judge(bundle, began + 65 * day), [
    'FAILED caBundle of pods.bpf.sh: its CA has expired: it was valid until 2026-03-07 00:00 UTC',
  ]);
  assert.deepEqual(judge(encode(young.cert), began - day), [
    'FAILED caBundle of pods.bpf.sh: its CA is not valid before 2025-12-31 23:00 UTC',
  ]);
});

test('a bundle that is empty or no certificate is a failure, once for all webhooks that have it', () => {
  const bundles = new Map([
    ['a', ''],
    ['b', encode('-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n')],
    ['c', ''],
  ]);
  assert.deepEqual(
    judgeBundles(bundles, began).map(({ level, text }) => [level, text.slice(0, 40)]),
    [
      ['FAILED', 'caBundle of a, c: is empty, so that the '],
      ['FAILED', 'caBundle of b: holds no certificate that'],
    ],
  );
});

test('the served certificate must be of a CA of the bundle, and for the name', async (t) => {
  const [authority, other] = [await createAuthority(), await createAuthority()];
  const server = createServer(await authority.issue(['bpf-sidecar.ops.svc']));
  server.on('tlsClientError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const options = { host: '127.0.0.1', port, servername: 'bpf-sidecar.ops.svc' };
  assert.match(await handshake({ ...options, ca: authority.certificate }), / GMT$/);
  await assert.rejects(handshake({ ...options, ca: other.certificate }), /certificate/);
  await assert.rejects(
    handshake({ ...options, servername: 'bpf-sidecar.other.svc', ca: authority.certificate }),
    /does not match certificate's altnames/,
  );
});
