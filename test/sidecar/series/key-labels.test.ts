import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLabelReader } from '../../../sidecar/series/key-labels.ts';

const read = createLabelReader([{ name: 'a', size: 512, padding: 0, decoders: [{ name: 'string' }] }], {
  containerName: String,
  wantsContainer: () => true,
  generation: () => 0,
});
const label = (text: string) => read(Buffer.concat([Buffer.from(text)], 512));

test('a long value is cut to 128 characters, not bytes or halves of a character', () => {
  assert.equal(label('x'.repeat(512)), `a="${'x'.repeat(128)}"`);
  assert.equal(label(`x${'😀'.repeat(127)}yz`), `a="x${'😀'.repeat(127)}"`);
});

test('a value is cut before it is escaped, so that no escape is cut in half', () => {
  assert.equal(label('"'.repeat(200)), `a="${'\\"'.repeat(128)}"`);
});

const bounded = (maxValues: number) =>
  createLabelReader(
    [
      { name: 'a', size: 1, padding: 0, decoders: [{ name: 'uint' }] },
      { name: 'b', size: 16, padding: 0, decoders: [{ name: 'string' }], maxValues },
    ],
    { containerName: String, wantsContainer: () => true, generation: () => 0 },
  );
const inKey = (text: string) => Buffer.concat([Buffer.from([7]), Buffer.from(text)], 17);

test('a label has as many different values as it may, and what a program has folded is none of them', () => {
  const readLabels = bounded(2);
  const values = ['~other', 'x', 'y', 'z', 'x'].map((text) => readLabels(inKey(text)));
  assert.deepEqual(
    values,
    ['~other', 'x', 'y', '~other', 'x'].map((value) => `a="7",b="${value}"`),
  );
});

test('a label that may have no value is left out', () => {
  assert.equal(bounded(0)(inKey('x')), 'a="7"');
});
