import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podsByProgram } from '../../../webhook/programs/pods.ts';
import { injectedPod } from '../monitors/pods.ts';

test('pods are found by what they run, in the order of their names', () => {
  const pods = [
    injectedPod({ name: 'web-2', programs: ['a', 'b'] }),
    injectedPod({ name: 'web-1', programs: ['a'] }),
    injectedPod({ name: 'db' }),
    injectedPod({ namespace: 'team', name: 'web-1', programs: ['a'] }),
  ];
  assert.deepEqual(Object.fromEntries(podsByProgram(pods)), {
    'shop/a': ['web-1', 'web-2'],
    'shop/b': ['web-2'],
    'team/a': ['web-1'],
  });
});
