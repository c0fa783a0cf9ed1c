import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { membersOf, parseBtf, variablesOf } from '../../../sidecar/libbpf/btf.ts';

/** A minimal BTF blob: type records and strings as given. */
function blob(types: number[][], strings: string): Buffer {
  const body = Buffer.from(new Uint32Array(types.flat()).buffer);
  const text = Buffer.from(strings, 'latin1');
  const header = Buffer.alloc(24);
  header.writeUInt16LE(0xeb9f, 0);
  header.writeUInt8(1, 2);
  header.writeUInt32LE(24, 4);
  header.writeUInt32LE(0, 8);
  header.writeUInt32LE(body.length, 12);
  header.writeUInt32LE(body.length, 16);
  header.writeUInt32LE(text.length, 20);
  return Buffer.concat([header, body, text]);
}

const kind = (number: number, count = 0) => number * 2 ** 24 + count;
const int = [0, kind(1), 4, 32];
const array = (element: number, length: number) => [0, kind(3), 0, element, 1, length];
const typedef = (target: number) => [0, kind(8), target];

describe('BTF', () => {
  test('gives the members of a struct behind a typedef, with the sizes of nested arrays', () => {
    const struct = [0, kind(4, 2), 40, 1, 1, 0, 3, 3, 32];
    const btf = parseBtf(blob([int, array(1, 3), array(2, 3), struct, typedef(4)], '\0a\0grid\0'));
    assert.deepEqual(membersOf(btf, 5), [
      { name: 'a', offset: 0, size: 4, signed: false },
      { name: 'grid', offset: 4, size: 36, signed: false },
    ]);
    assert.deepEqual(membersOf(btf, 1), []);
    assert.deepEqual(membersOf(btf, 99), []);
  });

  test('gives the variables of a section', () => {
    const variable = [1, kind(14), 1, 0];
    const section = [3, kind(15, 1), 4, 2, 8, 4];
    const btf = parseBtf(blob([int, variable, section], '\0a\0.data\0'));
    assert.deepEqual(variablesOf(btf, '.data'), [{ name: 'a', offset: 8, size: 4, signed: false }]);
    assert.deepEqual(variablesOf(btf, '.bss'), []);
  });

  test('ends on circles of typedefs and arrays', () => {
    const struct = [0, kind(4, 1), 8, 1, 3, 0];
    const btf = parseBtf(blob([typedef(2), typedef(1), array(3, 2), struct], '\0a\0'));
    assert.deepEqual(membersOf(btf, 1), []);
    assert.equal(membersOf(btf, 4)[0]?.name, 'a');
  });

  test('of garbage is an error, not a crash', () => {
    assert.throws(() => parseBtf(Buffer.from('no')), /not BTF/);
    assert.throws(() => parseBtf(Buffer.alloc(100)), /not BTF/);
    const whole = blob([int, [0, kind(4, 200), 8]], '\0');
    assert.throws(() => membersOf(parseBtf(whole), 2), /malformed BTF/);
    const cut = whole.subarray(0, 30);
    assert.throws(() => parseBtf(cut), /malformed BTF/);
  });
});
