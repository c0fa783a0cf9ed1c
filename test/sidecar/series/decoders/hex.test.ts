import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

test('hex writes the bytes in the order of the key', () => {
  assert.equal(decode('00 0f ff a0', 'hex'), '000fffa0');
});
