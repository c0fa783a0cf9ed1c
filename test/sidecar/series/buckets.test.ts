import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Buckets } from '../../../sidecar/contract/bucket-spec.ts';
import { bucketBounds, createBucketFinder, createScale } from '../../../sidecar/series/buckets.ts';

test('upper bounds of each bucket type', () => {
  const table: [Buckets, number[]][] = [
    [{ type: 'exp2', keys: [0, 1, 2, 3], multiplier: 1 }, [1, 2, 4, 8]],
    [{ type: 'exp2', keys: [2, 3], multiplier: 512 }, [2048, 4096]],
    [{ type: 'exp2zero', keys: [0, 1, 2, 3], multiplier: 1 }, [0, 1, 2, 4]],
    [{ type: 'linear', keys: [0, 1, 2], multiplier: 50 }, [0, 50, 100]],
    [{ type: 'fixed', keys: [5, 10, 100], multiplier: 1 }, [5, 10, 100]],
  ];
  for (const [buckets, bounds] of table) assert.deepEqual(bucketBounds(buckets), bounds);
});

test('bounds are short decimals: no noise of binary fractions', () => {
  const keys = Array.from({ length: 28 }, (_, key) => key);
  const printed = bucketBounds({ type: 'exp2', keys, multiplier: 1e-6 }).map(String);
  assert.deepEqual(printed.slice(0, 5), ['0.000001', '0.000002', '0.000004', '0.000008', '0.000016']);
  assert.equal(printed[27], '134.217728');
  assert.deepEqual(bucketBounds({ type: 'linear', keys: [1, 3, 7], multiplier: 0.1 }), [0.1, 0.3, 0.7]);
});

test('a listed key is its own bucket, the next after the last is the sum, above is over the last bound', () => {
  const find = createBucketFinder({ type: 'exp2', keys: [2, 3, 4], multiplier: 1 });
  assert.deepEqual([2, 3, 4, 5, 6, 7, 1000].map(find), [0, 1, 2, 'sum', 3, 3, 3]);
});

test('a key that is not listed counts under the first bound that its events do not exceed', () => {
  const range = createBucketFinder({ type: 'linear', keys: [2, 3], multiplier: 1 });
  assert.deepEqual([0, 1].map(range), [0, 0]);
  const fixed = createBucketFinder({ type: 'fixed', keys: [10, 20, 50], multiplier: 1 });
  assert.deepEqual([0, 10, 11, 20, 21, 50, 51, 52].map(fixed), [0, 0, 1, 1, 2, 2, 'sum', 3]);
});

test('a key may be a fraction, which whole numbers are below or above', () => {
  const find = createBucketFinder({ type: 'fixed', keys: [0.5, 2.5, 5.5], multiplier: 1 });
  assert.deepEqual([0, 1, 2, 3, 5, 6, 7].map(find), [0, 1, 1, 2, 2, 3, 3]);
});

test('a scaled sum is the nearest decimal', () => {
  assert.equal(createScale(1e-6)(18239), 0.018239);
  assert.equal(createScale(1e-9)(1), 1e-9);
  assert.equal(createScale(512)(3), 1536);
});
