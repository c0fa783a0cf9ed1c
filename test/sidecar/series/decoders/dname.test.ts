import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from './decode.ts';

const name = (text: string, ...decoders: string[]) =>
  decode(Buffer.from(text, 'latin1').toString('hex'), ...decoders);

test('dname writes a name of the wire format with dots, from bytes and after string', () => {
  const table = [
    ['\x07example\x03com\0', 'example.com'],
    ['\x07example\x03com\0\0\0left over', 'example.com'],
    ['\x03com', 'com'],
    ['\0', '.'],
    [`\x3f${'a'.repeat(63)}\x01b\0`, `${'a'.repeat(63)}.b`],
    ['\x07b\xc3\xbccher\x02de\0', 'bücher.de'],
  ] as const;
  for (const [bytes, text] of table) {
    assert.equal(name(bytes, 'dname'), text);
    assert.equal(name(bytes, 'string', 'dname'), text);
  }
});

test('dname leaves what is no such name as it is', () => {
  const table = ['\x05com', '\x03www\x10example', `\x40${'a'.repeat(64)}`, '\x03www\x3f'];
  for (const bytes of table) {
    assert.equal(name(`${bytes}\0`, 'dname'), bytes);
    assert.equal(name(`${bytes}\0`, 'string', 'dname'), bytes);
  }
});
