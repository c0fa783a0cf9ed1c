import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readLines } from '../../sidecar/read-lines.ts';
import { withFile } from './series/decoders/temporary-file.ts';

const lines = (text: string, maxBytes = 2 ** 20) => withFile(text, (path) => [...readLines(path, maxBytes)]);

test('lines are whole wherever a chunk ends, in the middle of a character too', () => {
  // Lines of 9 bytes: each chunk of 64 KiB ends at another place in a line.
  const written = Array.from({ length: 50_000 }, () => 'éé😀');
  assert.deepEqual(lines(written.join('\n')), written);
});

test('the last line may end with a newline or with the file', () => {
  assert.deepEqual(lines('a\n\nb\n'), ['a', '', 'b']);
  assert.deepEqual(lines('a\n\nb'), ['a', '', 'b']);
  assert.deepEqual(lines(''), []);
});

test('no more than the given bytes are read', () => {
  assert.deepEqual(lines('one\ntwo\nthree\n', 9), ['one', 'two', 't']);
});
