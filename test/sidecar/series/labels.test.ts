import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderLabels } from '../../../sidecar/series/labels.ts';

test('label values are escaped', () => {
  assert.equal(renderLabels([['path', 'C:\\a "b"\nc']]), String.raw`path="C:\\a \"b\"\nc"`);
});

test('pairs are joined in order; none is empty text', () => {
  assert.equal(
    renderLabels([
      ['b', '1'],
      ['a', ''],
    ]),
    'b="1",a=""',
  );
  assert.equal(renderLabels([]), '');
});

test('names of pods and nodes are never cut', () => {
  assert.equal(renderLabels([['pod', 'p'.repeat(253)]]), `pod="${'p'.repeat(253)}"`);
});

test('half a surrogate pair becomes U+FFFD', () => {
  assert.equal(renderLabels([['a', '\ud800x']]), 'a="\ufffdx"');
});
