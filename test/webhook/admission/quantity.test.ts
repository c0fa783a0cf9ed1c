import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantityValue } from '../../../webhook/admission/quantity.ts';

const equal: [string | number, string | number][] = [
  ['100m', '0.1'],
  ['1100m', '1.1'],
  [1, '1000m'],
  ['1Gi', '1024Mi'],
  ['1.5Gi', '1536Mi'],
  ['1e3', '1k'],
  ['1E', '1000P'],
  ['500000u', '500m'],
  ['1000000n', '1m'],
];

for (const [left, right] of equal) {
  test(`${left} is the same quantity as ${right}`, () => {
    assert.equal(quantityValue(left), quantityValue(right));
  });
}

for (const text of ['', 'x', '1Qi', '1 Gi', '1.2.3', 'constructor']) {
  test(`${JSON.stringify(text)} is no quantity`, () => {
    assert.ok(Number.isNaN(quantityValue(text)));
  });
}
