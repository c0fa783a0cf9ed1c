import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

test('ifname finds an interface by its index, and marks one that is not there', () => {
  // The kernel gives index 1 to the loopback of every network namespace.
  assert.equal(decode('01000000', 'ifname'), 'lo');
  assert.equal(decode('ffffffff', 'ifname'), 'unknown:4294967295');
});
