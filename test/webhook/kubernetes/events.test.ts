import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Api } from '../../../webhook/kubernetes/client.ts';
import { createReport, type ReportedEvent } from '../../../webhook/kubernetes/events.ts';
import { createMetrics } from '../../../webhook/metrics.ts';
import { type Call, startApiServer } from './api-server.ts';

const event = (message: string, name = 'web-7d8f'): ReportedEvent => ({
  about: { apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace: 'shop', name, uid: 'r-1' },
  type: 'Warning',
  reason: 'SidecarNotInjected',
  message,
});

type Answer = Parameters<typeof startApiServer>[0];

/** The API server makes the names; everything else is as it was sent. */
function accept() {
  let events = 0;
  return ({ method, body }: Call) => ({
    status: method === 'POST' ? 201 : 200,
    body: { ...body, metadata: { name: `bpf-sidecar-${++events}`, namespace: 'shop' } },
  });
}

async function setUp(t: TestContext, answer: Answer) {
  const server = await startApiServer(answer);
  t.after(() => server.close());
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: Date.parse('2026-01-01T00:00:00Z') });
  t.mock.method(performance, 'now', () => Date.now());
  const { events: counter } = createMetrics();
  const lines: object[] = [];
  let logged = Promise.withResolvers<void>();
  const calls: Promise<unknown>[] = [];
  const call: Api['call'] = (request) => {
    const made = server.api.call<never>(request);
    calls.push(made);
    return made;
  };
  const report = createReport({
    api: { call },
    counter,
    log: (level, msg, fields) => {
      lines.push({ level, msg, ...fields });
      logged.resolve();
    },
  });
  return {
    report,
    next: () => server.next(),
    /** Resolves when all answers have been taken notice of. */
    async settled() {
      await Promise.allSettled(calls);
      await turn();
    },
    lines,
    async logLine() {
      await logged.promise;
      logged = Promise.withResolvers();
    },
    tick: (seconds: number) => t.mock.timers.tick(seconds * 1000),
    counts: async () =>
      Object.fromEntries((await counter.get()).values.map(({ labels, value }) => [labels.result, value])),
  };
}

test('an Event is as the API server wants it', async (t) => {
  const { report, next, tick } = await setUp(t, accept());
  report(event('invalid-annotation: so and so'));
  tick(1);
  const { method, path, body } = await next();
  assert.deepEqual([method, path], ['POST', '/api/v1/namespaces/shop/events']);
  const { source, reportingInstance, ...rest } = body;
  assert.equal(source.component, 'bpf-sidecar');
  assert.deepEqual(rest, {
    metadata: { namespace: 'shop', generateName: 'bpf-sidecar-' },
    involvedObject: {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      namespace: 'shop',
      name: 'web-7d8f',
      uid: 'r-1',
    },
    type: 'Warning',
    reason: 'SidecarNotInjected',
    message: 'invalid-annotation: so and so',
    count: 1,
    firstTimestamp: '2026-01-01T00:00:00.000Z',
    lastTimestamp: '2026-01-01T00:00:00.000Z',
    reportingComponent: 'bpf-sidecar',
  });
});

test('what is said again is counted on the Event that is there, once a minute', async (t) => {
  const { report, next, settled, tick, counts } = await setUp(t, accept());
  for (let pod = 0; pod < 100; pod++) report(event('a'));
  tick(1);
  assert.equal((await next()).body.count, 100);
  await settled();
  for (let pod = 0; pod < 20; pod++) {
    report(event('a'));
    tick(2);
  }
  report(event('b'));
  tick(1);
  assert.equal((await next()).body.message, 'b', 'the other has to wait');
  tick(20);
  const { method, path, contentType, body } = await next();
  assert.deepEqual(
    [method, path, contentType],
    ['PATCH', '/api/v1/namespaces/shop/events/bpf-sidecar-1', 'application/merge-patch+json'],
  );
  assert.deepEqual(body, { count: 120, lastTimestamp: '2026-01-01T00:00:39.000Z' });
  await settled();
  assert.deepEqual(await counts(), { written: 3 });
});

test('an Event that the API server has forgotten is written anew', async (t) => {
  const fresh = accept();
  const { report, next, settled, tick } = await setUp(t, (call) =>
    call.method === 'PATCH' ? { status: 404, body: { message: 'not found' } } : fresh(call),
  );
  report(event('a'));
  tick(1);
  await next();
  await settled();
  report(event('a'));
  tick(60);
  assert.equal((await next()).method, 'PATCH');
  const { method, body } = await next();
  assert.deepEqual([method, body.count], ['POST', 2]);
});

test('however many there are, five are written a second, and what there is no room for is counted', async (t) => {
  const { report, next, settled, tick, counts } = await setUp(t, accept());
  for (let pod = 0; pod < 1500; pod++) report(event('a', `web-${pod}`));
  assert.deepEqual(await counts(), { dropped: 500 });
  for (let second = 0; second < 3; second++) {
    tick(1);
    const names = [];
    for (let write = 0; write < 5; write++) names.push((await next()).body.involvedObject.name);
    const first = second * 5;
    assert.deepEqual(names.toSorted(), [0, 1, 2, 3, 4].map((n) => `web-${first + n}`).toSorted());
    await settled();
  }
  report(event('a', 'web-late'));
  assert.deepEqual(await counts(), { dropped: 500, written: 15 }, 'there is room again');
});

test('what the API server refuses is counted, and told once a minute', async (t) => {
  const { report, next, settled, tick, counts, lines, logLine } = await setUp(t, () => ({
    status: 403,
    body: { kind: 'Status', message: 'events is forbidden' },
  }));
  const fail = async (name: string) => {
    report(event('a', name));
    tick(1);
    await next();
    await settled();
  };
  await fail('web-1');
  await logLine();
  await fail('web-2');
  await fail('web-3');
  assert.deepEqual(lines, [
    { level: 'warn', msg: 'cannot write Events', failures: 1, error: 'events is forbidden' },
  ]);
  tick(60);
  await fail('web-4');
  await logLine();
  assert.deepEqual(lines[1], {
    level: 'warn',
    msg: 'cannot write Events',
    failures: 3,
    error: 'events is forbidden',
  });
  assert.deepEqual(await counts(), { failed: 4 });
});
