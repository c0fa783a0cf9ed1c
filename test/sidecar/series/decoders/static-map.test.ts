import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

const staticMap = new Map([
  ['1', 'read'],
  ['2', 'write'],
  ['node', 'Node.js'],
]);
const strict = { name: 'static_map', staticMap, allowUnknown: false } as const;

test('static_map names what it knows', () => {
  assert.equal(decode('01', 'uint', strict), 'read');
  assert.equal(decode('6e6f6465 00', 'string', strict), 'Node.js');
});

test('static_map reads bytes as text when it is the first decoder', () => {
  assert.equal(decode('32', strict), 'write');
});

test('static_map marks what it does not know, or lets it through with allow_unknown', () => {
  assert.equal(decode('03', 'uint', strict), 'unknown:3');
  assert.equal(decode('03', 'uint', { ...strict, allowUnknown: true }), '3');
});

test('static_map does not know the names of what every object has', () => {
  assert.equal(decode('636f6e7374727563746f72', 'string', strict), 'unknown:constructor');
});
