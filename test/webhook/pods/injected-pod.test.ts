import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readInjectedPod } from '../../../webhook/pods/injected-pod.ts';
import { injectedPod } from '../monitors/pods.ts';

const read = (labels: Record<string, string>, annotations: Record<string, string>) =>
  readInjectedPod({
    metadata: {
      namespace: 'shop',
      name: 'web-5d8f6-x2x4z',
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      labels,
      annotations,
    },
  });
const id = { 'bpf.sh/id': '0123456789abcdef' };

test('what the webhook has written is read', () => {
  assert.deepEqual(
    read(id, {
      'bpf.sh/status': '{"version":"0.1.0","port":9400}',
      'bpf.sh/metrics-port': '9500',
      'bpf.sh/scrape-interval': '1m30s',
      'bpf.sh/scrape-timeout': '20s',
    }),
    injectedPod({ port: 9400, interval: '1m30s', timeout: '20s' }),
  );
});

for (const status of ['', 'null', '[]', '"x"', '{', '{"port":0}', '{"port":65536}', '{"port":"9387"}'])
  test(`a status of ${JSON.stringify(status)} tells no port`, () => {
    assert.equal(read(id, { 'bpf.sh/status': status }).port, undefined);
  });

for (const duration of ['', '0s', '999ms', '25h', '1.5h', '30s1m', '15', `${'9'.repeat(400)}s`])
  test(`a scrape interval of ${JSON.stringify(duration.slice(0, 20))} is that of the configuration`, () => {
    assert.equal(read(id, { 'bpf.sh/scrape-interval': duration }).interval, undefined);
  });

test('an identity that is none of ours is none', () => {
  assert.equal(read({ 'bpf.sh/id': 'Web_1' }, {}).id, undefined);
  assert.equal(read({}, {}).id, undefined);
});

test('a pod of which nothing that counts has changed is the one known', () => {
  const before = read(id, {});
  const metadata = { ...before, labels: { ...id, app: 'web' } };
  assert.equal(readInjectedPod({ metadata } as never, before), before);
  assert.notEqual(readInjectedPod({ metadata: { ...metadata, uid: 'other' } } as never, before), before);
});

test('a pod runs what it was created with and names still', () => {
  const programs = (asked: Record<string, string>, status: string) =>
    read(id, { ...asked, 'bpf.sh/status': status }).programs;
  const status = JSON.stringify({ programs: ['a', 'b'] });
  assert.deepEqual(programs({ 'bpf.sh/programs': 'b, a' }, status), ['a', 'b']);
  assert.deepEqual(programs({ 'bpf.sh/programs': 'b,c' }, status), ['b']);
  assert.deepEqual(programs({ 'bpf.sh/programs': '' }, status), []);
  assert.deepEqual(programs({}, status), []);
  // A status annotation that somebody else wrote harms nobody.
  for (const broken of ['', '{', 'null', '[]', '{"programs":7}', '{"programs":[7,{}]}'])
    assert.deepEqual(programs({ 'bpf.sh/programs': 'a' }, broken), []);
});
