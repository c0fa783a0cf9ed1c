import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { readBundle } from '../../../webhook/certificates/pem.ts';
import { readSecret } from '../../../webhook/certificates/secret.ts';
import { Cluster, day, hour, minute, schedule } from './cluster.ts';
import { shakeHands, verifyByOpenssl } from './handshake.ts';
import { metricValue } from './replica.ts';

const authoritiesOf = ({ secret }: Cluster) => readSecret(secret.object?.content ?? {}).authorities!;

test('ten replicas that start at once make one CA, and later one that follows it', async (t) => {
  const cluster = new Cluster(t);
  await cluster.start(10);
  assert.equal(cluster.secret.written, 1);
  assert.equal(cluster.mutating.written, 1);
  assert.equal(cluster.validating.written, 1);
  assert.equal(readBundle(cluster.bundle()).length, 1);
  assert.deepEqual(await cluster.shakeHands(), []);
  assert.equal(await cluster.sum('certificateRenewals', { certificate: 'leaf' }), 10);
  assert.equal(await cluster.sum('certificateRenewals', { certificate: 'authority' }), 1);

  await cluster.clock.moveTo(cluster.clock.now() + 3 * day + 1.5 * hour, 10);
  assert.equal(cluster.secret.written, 2, 'the next one');
  assert.equal(cluster.mutating.written, 2);
  assert.equal(readBundle(cluster.bundle()).length, 2);
  assert.deepEqual(await cluster.shakeHands(), []);
  assert.equal(await cluster.sum('certificateFailures'), 0);
});

test('through three changes of the CA, every handshake of API servers succeeds', async (t) => {
  const cluster = new Cluster(t);
  await cluster.start(2);
  const early = await Promise.all(cluster.replicas.map(({ port }) => openConnection(port)));
  const signers = new Set<string>();
  const sizes = new Set<number>();
  let shaken = 0;
  let done = false;
  // Clients that do nothing but shake hands, also while certificates are made and written.
  const load = [0, 1].map(async (client) => {
    while (!done) {
      const { port } = cluster.replicas[client]!;
      const problem = await shakeHands(port, cluster.mutating.object!.content[0]!, cluster.clock.now());
      assert.equal(problem, undefined);
      shaken++;
    }
  });

  const verify = await opensslVerification(t);
  for (let hours = 0; hours < 11 * 24; hours += 6) {
    await cluster.pass(6 * hour);
    signers.add(authoritiesOf(cluster).current.cert);
    sizes.add(readBundle(cluster.bundle()).length);
    await verify?.(cluster);
  }
  done = true;
  await Promise.all(load);

  assert.equal(signers.size, 4);
  assert.deepEqual([...sizes].sort(), [1, 2], 'the current one with the one before or after it');
  assert.equal(await cluster.sum('certificateRenewals', { certificate: 'authority' }), 4);
  assert.equal(cluster.secret.written, 1 + 3 * 3, 'the first; then next, promote and drop for each change');
  assert.equal(cluster.mutating.written, 1 + 3 * 2, 'the bundle has one more, and one less');
  assert.equal(await cluster.sum('certificateFailures'), 0);
  assert.ok(shaken > 1000, `${shaken} handshakes under load`);
  for (const socket of early) {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const [answer] = await once(socket, 'data');
    assert.match(`${answer}`, /^HTTP\/1.1 200/, 'a connection from before all changes');
  }
});

test('a Secret that is removed is replaced: by another CA, and no handshake fails', async (t) => {
  const cluster = new Cluster(t);
  await cluster.start(2);
  await cluster.pass(hour);
  const { current: old } = authoritiesOf(cluster);
  cluster.secret.object = undefined;

  await cluster.pass(hour);
  const { current, next, ...rest } = authoritiesOf(cluster);
  assert.equal(current.cert, old.cert, 'signs until every API server has seen the one that follows');
  assert.ok(next);
  assert.deepEqual(rest, {});

  await cluster.pass(2 * hour);
  const after = authoritiesOf(cluster);
  assert.equal(after.current.cert, next.cert);
  assert.equal(after.previous!.cert, old.cert);
  assert.ok(!Object.values(cluster.secret.object!.content).includes(old.key), 'its key is gone');

  await cluster.pass(26 * hour);
  assert.deepEqual(readBundle(cluster.bundle()), [
    { cert: next.cert, notBefore: next.notBefore, notAfter: next.notAfter },
  ]);
});

test('a new replica that finds no Secret breaks nothing for those that still use the old CA', async (t) => {
  const cluster = new Cluster(t);
  await cluster.start(2);
  await cluster.pass(3 * hour);
  const { current: old } = authoritiesOf(cluster);
  cluster.secret.object = undefined;
  await cluster.start(1);
  const { current } = authoritiesOf(cluster);
  assert.notEqual(current.cert, old.cert);
  for (let looks = 0; looks < 6; looks++) {
    assert.deepEqual(await cluster.shakeHands(cluster.replicas.slice(0, 2)), []);
    await cluster.clock.moveTo(cluster.clock.now() + 30 * minute, 3);
  }
  await cluster.pass(26 * hour);
  assert.deepEqual(
    readBundle(cluster.bundle()).map(({ cert }) => cert),
    [current.cert],
  );
});

test('without the API server a replica renews with what it remembers, and says seldom that it is away', async (t) => {
  const cluster = new Cluster(t);
  await cluster.start(2);
  cluster.fail(new Error('cannot read Secret test/ca: connect ECONNREFUSED'));
  await cluster.pass(1.5 * day);
  for (const { keeper } of cluster.replicas) assert.equal(keeper.problem(), undefined);
  assert.ok((await cluster.sum('certificateRenewals', { certificate: 'leaf' })) >= 2 * 3);
  const lines = cluster.lines('certificate').filter(({ about }) => about === 'Secret test/ca');
  assert.ok(lines.length >= 2 * 34 && lines.length <= 2 * 37, `${lines.length} lines in 36 hours`);
  assert.ok((await cluster.sum('certificateFailures', { reason: 'secret' })) >= 2 * 36 * 60);

  cluster.fail(undefined);
  await cluster.pass(2 * hour);
  assert.equal(cluster.lines('certificate: solved').length, 2 * 3);
});

test('a replica that starts without the API server says why it is not ready, and is once that is back', async (t) => {
  const cluster = new Cluster(t);
  cluster.fail(new Error('cannot read Secret test/ca: connect ECONNREFUSED'));
  await cluster.start(1);
  const [replica] = cluster.replicas;
  assert.equal(
    replica!.keeper.problem(),
    'there is no certificate yet: cannot read Secret test/ca: connect ECONNREFUSED',
  );
  const probe = await openConnection(replica!.port);
  probe.destroy();
  cluster.fail(undefined);
  await cluster.clock.moveTo(cluster.clock.now() + minute, 1);
  await replica!.keeper.ready;
  assert.equal(replica!.keeper.problem(), undefined);
  assert.deepEqual(await cluster.shakeHands(), []);
});

test('a replica whose certificate has expired says since when', async (t) => {
  const cluster = new Cluster(t);
  await cluster.start(1);
  await cluster.pass(2.5 * day);
  cluster.fail(new Error('away'));
  const { notAfter } = authoritiesOf(cluster).current;
  await cluster.clock.moveTo(notAfter + hour, 1);
  assert.equal(
    cluster.replicas[0]!.keeper.problem(),
    `the certificate has expired at ${new Date(notAfter).toISOString()}`,
    'the CA and all that it signed have expired',
  );
  const { certificateNotAfter } = cluster.replicas[0]!.metrics;
  for (const certificate of ['leaf', 'authority'])
    assert.equal(await metricValue(certificateNotAfter, { certificate }), notAfter / 1000);
  cluster.fail(undefined);
  await cluster.clock.moveTo(cluster.clock.now() + minute, 1);
  assert.equal(cluster.replicas[0]!.keeper.problem(), undefined);
});

test('a Secret of somebody else is left alone, and said to be', async (t) => {
  const cluster = new Cluster(t);
  cluster.secret.put({ password: 'x' });
  await cluster.start(2);
  await cluster.clock.moveTo(cluster.clock.now() + hour, 2);
  assert.deepEqual(cluster.secret.object!.content, { password: 'x' });
  assert.equal(
    cluster.replicas[1]!.keeper.problem(),
    'there is no certificate yet: Secret test/ca is not ours (password is none of its keys) and is left alone; ' +
      'name another in certificate.authoritySecret',
  );
});

test('a CA whose key does not fit is never signed with, but replaced', async (t) => {
  const cluster = new Cluster(t);
  await cluster.start(2);
  await cluster.pass(hour);
  const { content } = cluster.secret.object!;
  const { current } = authoritiesOf(cluster);
  cluster.secret.put({ ...content, 'current.key': content['current.key']!.slice(0, 500) });
  await cluster.pass(hour);
  assert.equal(authoritiesOf(cluster).current.cert, current.cert, 'as the replicas remember it');
  assert.ok(authoritiesOf(cluster).next, 'and is to be changed');
  const said = cluster.lines('certificate').map(({ problem }) => problem);
  assert.deepEqual(said, [
    'Secret test/ca was not usable as it was (current: the key cannot be read as PEM without a password) and is replaced',
  ]);
});

test('a CA that cannot be published does not sign before the one that is trusted ends', async (t) => {
  const cluster = new Cluster(t);
  await cluster.start(2);
  cluster.validating.readOnly = new Error('cannot write ValidatingWebhookConfiguration test: forbidden');
  const { current: old } = authoritiesOf(cluster);
  await cluster.clock.moveTo(cluster.clock.now() + 3 * day + 11 * hour, 2);
  assert.ok(authoritiesOf(cluster).next);
  assert.equal(authoritiesOf(cluster).current.cert, old.cert);
  const trusted = cluster.validating.object!.content[0]!;
  for (const { port } of cluster.replicas)
    assert.equal(await shakeHands(port, trusted, cluster.clock.now()), undefined);

  cluster.validating.readOnly = undefined;
  await cluster.clock.moveTo(cluster.clock.now() + 3 * hour, 2);
  assert.notEqual(authoritiesOf(cluster).current.cert, old.cert);
  await cluster.pass(2 * day);
});

test('a configuration that is not there yet is said once, and has the bundle when it is', async (t) => {
  const cluster = new Cluster(t);
  cluster.mutating.object = undefined;
  await cluster.start(1);
  await cluster.pass(6 * hour);
  assert.deepEqual(
    cluster.lines('certificate').map(({ level, problem }) => [level, problem]),
    [['info', 'there is no MutatingWebhookConfiguration test yet; it is waited for']],
  );
  assert.equal(await cluster.sum('certificateFailures'), 0);
  cluster.mutating.put(['', '']);
  await cluster.clock.moveTo(cluster.clock.now() + minute, 1);
  cluster.replicas[0]!.keeper.wake();
  await cluster.clock.moveTo(cluster.clock.now() + minute, 1);
  assert.equal(readBundle(cluster.bundle()).length, 1);
});

test('after all replicas were away for longer than the CA lives, those that come back make another', async (t) => {
  const cluster = new Cluster(t);
  await cluster.start(2);
  const { current: old } = authoritiesOf(cluster);
  cluster.stop();
  await cluster.clock.moveTo(cluster.clock.now() + schedule.authorityLifetime + day, 0);
  await cluster.start(2);
  const { current } = authoritiesOf(cluster);
  assert.notEqual(current.cert, old.cert);
  assert.deepEqual(
    readBundle(cluster.bundle()).map(({ cert }) => cert),
    [current.cert],
  );
  await cluster.pass(day);
});

async function openConnection(port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return socket;
}

/** Has the `openssl` command verify what every replica serves, where there is one. */
async function opensslVerification(
  t: TestContext,
): Promise<((cluster: Cluster) => Promise<void>) | undefined> {
  if (spawnSync('openssl', ['version']).status !== 0) {
    t.diagnostic('not verified by openssl too, for this machine has no such command');
    return undefined;
  }
  const directory = await mkdtemp(join(tmpdir(), 'bpf-sidecar-bundle-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'ca.crt');
  return async (cluster) => {
    await writeFile(file, cluster.bundle());
    for (const { port } of cluster.replicas)
      assert.equal(await verifyByOpenssl(port, file, cluster.clock.now()), 'Verify return code: 0 (ok)');
  };
}
