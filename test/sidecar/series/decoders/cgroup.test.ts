import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

test('cgroup names the container, from bytes and after uint, with all 64 bits of the id', () => {
  assert.equal(decode('0c00000000000000', 'cgroup'), 'container-12');
  assert.equal(decode('0c00000000000000', 'uint', 'cgroup'), 'container-12');
  assert.equal(decode('ffffffffffffffff', 'cgroup'), 'container-18446744073709551615');
});

test('cgroup drops containers that are not wanted', () => {
  assert.equal(decode('0d00000000000000', 'cgroup'), undefined);
});
