import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podsByProgram, programsOf } from '../../../webhook/programs/pods.ts';

const pod = (asked: string | undefined, status: string) => ({
  metadata: {
    name: 'web',
    annotations: { ...(asked !== undefined && { 'bpf.sh/programs': asked }), 'bpf.sh/status': status },
  },
});

test('a pod runs what it was created with and names still', () => {
  const status = JSON.stringify({ programs: ['a', 'b'] });
  assert.deepEqual(programsOf(pod('b, a', status)), ['a', 'b']);
  assert.deepEqual(programsOf(pod('b,c', status)), ['b']);
  assert.deepEqual(programsOf(pod('', status)), []);
  assert.deepEqual(programsOf(pod(undefined, status)), []);
});

test('a status annotation that somebody else wrote harms nobody', () => {
  for (const status of ['', '{', 'null', '[]', '{"programs":7}', '{"programs":[7,{}]}'])
    assert.deepEqual(programsOf(pod('a', status)), []);
});

test('pods are found by what they run, in the order of their names', () => {
  const pods = new Map([
    ['shop/web-2', ['a', 'b']],
    ['shop/web-1', ['a']],
    ['shop/db', []],
    ['team/web-1', ['a']],
  ]);
  assert.deepEqual(Object.fromEntries(podsByProgram(pods)), {
    'shop/a': ['web-1', 'web-2'],
    'shop/b': ['web-2'],
    'team/a': ['web-1'],
  });
});
