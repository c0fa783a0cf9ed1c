import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGroups } from '../../../webhook/monitors/groups.ts';
import { injectedPod } from './pods.ts';

test('pods are in the group of their name until they are taken out', () => {
  const groups = createGroups(({ id }) => id);
  const [a, b, c] = ['a', 'b', 'c'].map((uid) => injectedPod({ uid, id: 'same' }));
  for (const pod of [a, b, c]) assert.equal(groups.add(pod!), 'shop/same');
  assert.equal(groups.add(injectedPod({ namespace: 'other', id: 'same' })), 'other/same');
  assert.equal(groups.remove(a!), 'shop/same');
  assert.deepEqual(new Set(groups.pods('shop/same')), new Set([b, c]));
  groups.remove(c!);
  groups.remove(b!);
  assert.deepEqual(groups.pods('shop/same'), []);
  assert.deepEqual([...groups.ids()], ['other/same']);
});

test('pods without a name are counted', () => {
  const groups = createGroups(() => undefined);
  const pod = injectedPod();
  assert.equal(groups.add(pod), undefined);
  assert.equal(groups.apart, 1);
  assert.equal(groups.remove(pod), undefined);
  assert.equal(groups.apart, 0);
});
