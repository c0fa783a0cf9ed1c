import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

test('int reads little-endian signed integers of every size, exactly', () => {
  const table = [
    ['ff', '-1'],
    ['7f', '127'],
    ['00 80', '-32768'],
    ['fe ff ff ff', '-2'],
    ['ff ff ff ff ff ff ff 7f', '9223372036854775807'],
    ['00 00 00 00 00 00 00 80', '-9223372036854775808'],
  ] as const;
  for (const [bytes, text] of table) assert.equal(decode(bytes, 'int'), text);
});
