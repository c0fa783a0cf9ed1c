import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { createAuthority } from '../../../webhook/certificates/authority.ts';
import { ProcessSource } from '../../../webhook/certificates/process-source.ts';
import { hour } from './cluster.ts';
import { shakeHands } from './handshake.ts';
import { MovingClock } from './moving-clock.ts';
import { metricValue, serverName, startReplica } from './replica.ts';

test('renewal gives new connections a new certificate and keeps the open ones', async (t) => {
  const clock = new MovingClock(Date.now());
  const authority = await createAuthority(clock.now);
  const replica = await startReplica(clock, new ProcessSource(authority, [serverName], clock));
  t.after(replica.stop);
  await replica.keeper.ready;
  const dial = async (): Promise<TLSSocket> => {
    const { port } = replica;
    const socket = connect({ port, host: '127.0.0.1', servername: serverName, ca: authority.certificate });
    await once(socket, 'secureConnect');
    return socket;
  };
  const { certificateRenewals } = replica.metrics;

  const early = await dial();
  await clock.moveTo(clock.now() + 14 * hour, 1);
  assert.equal(await metricValue(certificateRenewals, { certificate: 'leaf' }), 1);
  await clock.moveTo(clock.now() + 2.1 * hour, 1);
  assert.equal(await metricValue(certificateRenewals, { certificate: 'leaf' }), 2);
  assert.equal(await shakeHands(replica.port, authority.certificate, clock.now() + 22 * hour), undefined);

  early.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const [answer] = await once(early, 'data');
  assert.match(`${answer}`, /^HTTP\/1.1 200/);
});
