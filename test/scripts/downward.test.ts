import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatMap, quote, writeVolume } from '../../scripts/node/downward.ts';

test('a map is written as kubelet writes it: sorted, quoted, no newline at the end', () => {
  const annotations = { 'bpf.sh/probes': 'network,tcp', 'a.example/note': 'two\nlines', Z: '' };
  assert.equal(formatMap(annotations), 'Z=""\na.example/note="two\\nlines"\nbpf.sh/probes="network,tcp"');
  assert.equal(formatMap({}), '');
});

// Each expected value is what Go's strconv.Quote returns.
for (const [text, quoted] of [
  ['say "hi" to C:\\', '"say \\"hi\\" to C:\\\\"'],
  ['\x07\b\f\n\r\t\v', '"\\a\\b\\f\\n\\r\\t\\v"'],
  ['\x00\x1f\x7f', '"\\x00\\x1f\\x7f"'],
  ['größe 大 ☺ 👍', '"größe 大 ☺ 👍"'],
  ['\u0085\u00a0\u2028\ufeff', '"\\u0085\\u00a0\\u2028\\ufeff"'],
  ['\u{e0001}', '"\\U000e0001"'],
] as const)
  test(`quoted as in Go: ${quoted}`, () => assert.equal(quote(text), quoted));

test('files are replaced all at once, and nothing old stays', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-downward-'));
  t.after(() => rmSync(directory, { recursive: true }));
  writeVolume(directory, { labels: 'old', annotations: 'old' });
  const first = readlinkSync(join(directory, '..data'));
  writeVolume(directory, { labels: 'new', annotations: 'new' });
  const second = readlinkSync(join(directory, '..data'));
  assert.notEqual(first, second);
  assert.deepEqual(readdirSync(directory).sort(), [second, '..data', 'annotations', 'labels'].sort());
  assert.equal(readlinkSync(join(directory, 'labels')), '..data/labels');
  assert.equal(readFileSync(join(directory, 'annotations'), 'utf8'), 'new');
});
