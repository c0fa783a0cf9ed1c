import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority } from '../../../webhook/certificates/authority.ts';
import type { Look } from '../../../webhook/certificates/source.ts';
import { hour, minute } from './cluster.ts';
import { MovingClock } from './moving-clock.ts';
import { metricValue, serverName, startReplica } from './replica.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const second = 1_000;

/** A replica whose source answers with what `answer` returns, and the times at which it was asked. */
async function watched(answer: (now: number) => Partial<Look>) {
  const clock = new MovingClock(start);
  const asked: number[] = [];
  const replica = await startReplica(clock, {
    async look() {
      asked.push((clock.now() - start) / second);
      return { remarks: [], again: clock.now() + minute, ...answer(clock.now()) };
    },
  });
  await clock.asleep(1);
  return { clock, replica, asked };
}

test('it looks when the source wants it, and when it is woken, but not more often than every second', async (t) => {
  const { clock, replica, asked } = await watched(() => ({}));
  t.after(replica.stop);
  await clock.moveTo(start + 60 * second, 1);
  assert.deepEqual(asked, [0, 60]);
  for (let times = 0; times < 1000; times++) replica.keeper.wake();
  await clock.moveTo(start + 70 * second, 1);
  assert.deepEqual(asked, [0, 60, 61]);
  replica.keeper.wake();
  await clock.asleep(1);
  await clock.moveTo(start + 80 * second, 1);
  assert.deepEqual(asked, [0, 60, 61, 70]);
});

test('what fails is tried again after a second, and then ever later, but every minute', async (t) => {
  const { clock, replica, asked } = await watched(() => {
    throw new Error('out of entropy');
  });
  t.after(replica.stop);
  await clock.moveTo(start + 2 * hour, 1);
  const pauses = asked.slice(1).map((time, index) => time - asked[index]!);
  const least = [1, 1, 2, 4, 8, 16];
  for (const [index, bound] of least.entries())
    assert.ok(pauses[index]! >= bound && pauses[index]! <= Math.max(1, 2 * bound), `${pauses[index]} s`);
  for (const pause of pauses.slice(6)) assert.ok(pause >= 30 && pause <= 60, `${pause} s`);
  assert.equal(await metricValue(replica.metrics.certificateFailures, { reason: 'internal' }), asked.length);
  assert.equal(
    replica.keeper.problem(),
    'there is no certificate yet: no certificate could be made: out of entropy',
  );
  const told = replica.lines.map(({ level, problem }) => [level, problem]);
  const line = ['warn', 'no certificate could be made: out of entropy'];
  assert.deepEqual(told, [line, line], 'when it begins and an hour later');
});

test('a certificate that the server does not take leaves the one before in use', async (t) => {
  const good = await (await createAuthority()).issue([serverName]);
  const leaves = [
    { ...good, notAfter: start + hour },
    { cert: good.cert, key: 'none', notAfter: start + 2 * hour },
  ];
  const { clock, replica } = await watched(() => {
    const leaf = leaves.shift();
    return leaf ? { leaf } : {};
  });
  t.after(replica.stop);
  await clock.moveTo(start + minute, 1);
  assert.match(replica.lines.at(-1)!.problem, /^no certificate could be made: /);
  assert.equal(replica.keeper.problem(), undefined);
  await clock.moveTo(start + hour, 1);
  assert.equal(replica.keeper.problem(), 'the certificate has expired at 2026-01-01T01:00:00.000Z');
});
