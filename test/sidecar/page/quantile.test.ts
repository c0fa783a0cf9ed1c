import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile } from '../../../sidecar/page/quantile.ts';

test('a quantile is what histogram_quantile gives', () => {
  const bounds = [1, 2, Number.POSITIVE_INFINITY];
  const counts = [10, 30, 40];
  assert.equal(quantile(0.5, bounds, counts), 1.5);
  assert.equal(quantile(0.125, bounds, counts), 0.5);
  assert.equal(quantile(0.99, bounds, counts), 2);
  assert.equal(quantile(0.5, [], []), undefined);
  assert.equal(quantile(0.5, [1], [0]), undefined);
});
