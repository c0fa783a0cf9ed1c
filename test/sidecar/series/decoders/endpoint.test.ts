import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

test('endpoint writes an address and its port', () => {
  const table = [
    ['0200 01bb c0000201 00000000 00000000 00000000', '192.0.2.1:443'],
    ['0a00 01bb 20010db8 00000000 00000000 00000001', '[2001:db8::1]:443'],
    ['0a00 ffff 00000000 00000000 0000ffff c0000201', '192.0.2.1:65535'],
    ['0000 01bb c0000201 00000000 00000000 00000000', ''],
    ['0100 0000 00000000 00000000 00000000 00000000', ''],
  ] as const;
  for (const [bytes, text] of table) assert.equal(decode(bytes, 'endpoint'), text);
});
