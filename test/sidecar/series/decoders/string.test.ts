import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

test('string ends at the first NUL, and bytes that are not UTF-8 become U+FFFD', () => {
  const table = [
    ['6e6f6465 00 6a756e6b', 'node'],
    ['6e6f6465', 'node'],
    ['00 6a756e6b', ''],
    ['c3a9 00', 'é'],
    ['61 ff 62 c3 00', 'a\ufffdb\ufffd'],
  ] as const;
  for (const [bytes, text] of table) assert.equal(decode(bytes, 'string'), text);
});
