import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trieKey } from '../../../sidecar/programs/options.ts';

for (const [network, bits, address] of [
  ['192.0.2.0/24', 120, '00000000000000000000ffffc0000200'],
  ['0.0.0.0/0', 96, '00000000000000000000ffff00000000'],
  ['::/0', 0, '0'.repeat(32)],
  ['::1/128', 128, `${'0'.repeat(31)}1`],
  ['2001:db8::/32', 32, '20010db8000000000000000000000000'],
  ['2001:db8:1:2:3:4:5:6/128', 128, '20010db8000100020003000400050006'],
  ['::ffff:10.0.0.1/128', 128, '00000000000000000000ffff0a000001'],
] as const)
  test(`the key of ${network} in a trie`, () => {
    const key = trieKey(network);
    assert.equal(key.readUInt32LE(), bits);
    assert.equal(key.subarray(4).toString('hex'), address);
  });
