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
