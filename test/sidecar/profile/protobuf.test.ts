import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Field, message } from '../../../sidecar/profile/protobuf.ts';

/** As https://protobuf.dev/programming-guides/encoding/ has them, or `protoc --encode` writes them. */
const messages: [string, Field[], string][] = [
  ['nothing', [], ''],
  ['a number', [[1, 150]], '089601'],
  [
    'the largest of one byte, and the least of two',
    [
      [1, 127],
      [2, 128],
    ],
    '087f108001',
  ],
  [
    'numbers that are the default',
    [
      [1, 0],
      [2, 0n],
    ],
    '',
  ],
  ['a text', [[2, Buffer.from('testing')]], '120774657374696e67'],
  ['an empty text', [[6, Buffer.alloc(0)]], '3200'],
  ['a message', [[3, message([[1, 150]])]], '1a03089601'],
  ['packed numbers', [[6, [3, 270, 86942]]], '3206038e029ea705'],
  ['a negative number', [[1, -2]], '08feffffffffffffffff01'],
  ['the largest number', [[1, 2n ** 64n - 1n]], '08ffffffffffffffffff01'],
  ['a number beyond what 32 bits hold', [[1, 2 ** 40]], '08808080808020'],
  ['a field above 15', [[16, 1]], '800101'],
  ['a long text', [[1, Buffer.alloc(300, 'x')]], `0aac02${'78'.repeat(300)}`],
];

for (const [name, fields, bytes] of messages)
  test(`${name} is written as Protocol Buffers are`, () =>
    assert.equal(message(fields).toString('hex'), bytes));
