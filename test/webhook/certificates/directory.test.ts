import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createAuthority } from '../../../webhook/certificates/authority.ts';
import { DirectorySource } from '../../../webhook/certificates/directory-source.ts';
import { type Credentials, readBundle } from '../../../webhook/certificates/pem.ts';
import { hour, minute } from './cluster.ts';
import { shakeHands } from './handshake.ts';
import { MovingClock } from './moving-clock.ts';
import { metricValue, type Replica, serverName, startReplica } from './replica.ts';

const authority = await createAuthority();
const [first, second] = await Promise.all([
  authority.issue([serverName]),
  authority.issue([serverName], 2 * hour),
]);

/** A volume as kubelet makes one of a Secret: links into a directory that is replaced as a whole. */
class Volume {
  readonly path: string;
  #generation = 0;

  constructor(path: string) {
    this.path = path;
  }

  async put({ cert, key }: Credentials): Promise<void> {
    const name = `..generation-${++this.#generation}`;
    await mkdir(join(this.path, name));
    await writeFile(join(this.path, name, 'tls.crt'), cert);
    await writeFile(join(this.path, name, 'tls.key'), key);
    await symlink(name, join(this.path, '..data_tmp'));
    await rename(join(this.path, '..data_tmp'), join(this.path, '..data'));
    if (this.#generation > 1) return;
    for (const file of ['tls.crt', 'tls.key']) await symlink(join('..data', file), join(this.path, file));
  }
}

interface Scene {
  directory: string;
  replica: Replica;
  clock: MovingClock;
  /** Lets a look or two go by. */
  wait(): Promise<void>;
  /** What is wrong with a handshake. */
  problem(): Promise<string | undefined>;
}

async function scene(t: TestContext, prepare: (directory: string) => Promise<void>): Promise<Scene> {
  const directory = await mkdtemp(join(tmpdir(), 'bpf-sidecar-tls-'));
  await prepare(directory);
  const clock = new MovingClock(Date.now());
  const replica = await startReplica(clock, new DirectorySource(directory, clock));
  t.after(async () => {
    replica.stop();
    await rm(directory, { recursive: true });
  });
  await clock.asleep(1);
  return {
    directory,
    replica,
    clock,
    wait: () => clock.moveTo(clock.now() + minute, 1),
    problem: () => shakeHands(replica.port, authority.certificate, clock.now()),
  };
}

const notAfter = ({ cert }: Credentials) => readBundle(cert)[0]!.notAfter;

test('a Secret that is mounted is used, and used anew when kubelet replaces it', async (t) => {
  let volume!: Volume;
  const { replica, wait, problem, clock } = await scene(t, (directory) => {
    volume = new Volume(directory);
    return volume.put(first);
  });
  const { certificateNotAfter, certificateRenewals } = replica.metrics;
  const expiry = () => metricValue(certificateNotAfter, { certificate: 'leaf' });
  assert.equal(await problem(), undefined);
  assert.equal(await expiry(), notAfter(first) / 1000);

  await wait();
  assert.equal(
    await metricValue(certificateRenewals, { certificate: 'leaf' }),
    1,
    'the same is not taken again',
  );

  await volume.put(second);
  await wait();
  assert.equal(await expiry(), notAfter(second) / 1000);
  assert.equal(await metricValue(certificateRenewals, { certificate: 'leaf' }), 2);
  assert.equal(await problem(), undefined);

  await clock.moveTo(notAfter(second), 1);
  assert.equal(
    replica.keeper.problem(),
    `the certificate has expired at ${new Date(notAfter(second)).toISOString()}`,
  );
});

test('a pair that is half written is not taken', async (t) => {
  const { replica, directory, wait, problem } = await scene(t, async (path) => {
    await writeFile(join(path, 'tls.crt'), first.cert);
    await writeFile(join(path, 'tls.key'), first.key);
  });
  const broken: [string, string, string][] = [
    [second.cert, first.key, 'the key does not fit the certificate'],
    [second.cert.slice(0, 500), first.key, 'the certificate cannot be read as PEM'],
    ['', '', 'the certificate cannot be read as PEM'],
    [first.cert, '', 'the key cannot be read as PEM without a password'],
  ];
  for (const [cert, key, reason] of broken) {
    await writeFile(join(directory, 'tls.crt'), cert);
    await writeFile(join(directory, 'tls.key'), key);
    await wait();
    assert.equal(await problem(), undefined, 'goes on with the pair before');
    assert.equal(replica.lines.at(-1)!.problem, `${directory}: ${reason}`);
  }
  assert.equal(replica.keeper.problem(), undefined);
  assert.equal(await metricValue(replica.metrics.certificateRenewals, { certificate: 'leaf' }), 1);

  await writeFile(join(directory, 'tls.crt'), second.cert);
  await writeFile(join(directory, 'tls.key'), second.key);
  await wait();
  assert.equal(replica.lines.at(-1)!.msg, 'certificate: solved');
  assert.equal(await metricValue(replica.metrics.certificateRenewals, { certificate: 'leaf' }), 2);
});

test('files that are not there yet are waited for', async (t) => {
  const { replica, directory, wait, problem } = await scene(t, async () => {});
  assert.match(
    replica.keeper.problem()!,
    /^there is no certificate yet: .*: ENOENT: no such file or directory, open '.*\/tls\.(crt|key)'$/,
  );
  await new Volume(directory).put(first);
  await wait();
  assert.equal(replica.keeper.problem(), undefined);
  assert.equal(await problem(), undefined);
});
