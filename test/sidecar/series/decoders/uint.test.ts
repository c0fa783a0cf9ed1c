import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

test('uint reads little-endian integers of every size, exactly', () => {
  const table = [
    ['ff', '255'],
    ['01 02', '513'],
    ['ff ff ff ff', '4294967295'],
    ['0e 00 00 00 00 00 00 00', '14'],
    ['ff ff ff ff ff ff ff ff', '18446744073709551615'],
  ] as const;
  for (const [bytes, text] of table) assert.equal(decode(bytes, 'uint'), text);
});

test('uint writes zeros before numbers of fewer digits than wanted', () => {
  const padded = { name: 'uint', digits: 5 } as const;
  const table = [
    ['02 00 00 00', '00002'],
    ['27 02', '00551'],
    ['40 e2 01 00 00 00 00 00', '123456'],
  ] as const;
  for (const [bytes, text] of table) assert.equal(decode(bytes, padded), text);
});
