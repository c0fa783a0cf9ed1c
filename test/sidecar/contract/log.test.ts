import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../../sidecar/contract/log.ts';

test('a log line is one line of JSON of bounded length, whatever a client wrote', () => {
  const lines: string[] = [];
  createLog((line) => lines.push(line))('warn', 'admission', { pod: `a\nb${'x'.repeat(1e6)}` });
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^[^\n]{1,1200}\n$/);
  const { time, level, msg, pod } = JSON.parse(lines[0]!);
  assert.equal(new Date(time).toISOString(), time);
  assert.deepEqual([level, msg, pod.slice(0, 3)], ['warn', 'admission', 'a\nb']);
});

test('lines below the threshold are left out', () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), 'warn');
  for (const level of ['debug', 'info', 'warn', 'error'] as const) log(level, level);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).msg),
    ['warn', 'error'],
  );
});
