import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { createLineWriter, createLog } from '../../../sidecar/contract/log.ts';

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

test('a reader who stalls takes no more than a mebibyte, and is told how many lines are missing', async () => {
  const read: string[] = [];
  let goOn = () => {};
  const stream = new Writable({
    write(chunk, _, done) {
      read.push(String(chunk));
      if (read.length > 1) done();
      else goOn = done;
    },
  });
  const write = createLineWriter(stream);
  const line = `${'x'.repeat(1023)}\n`;
  for (let index = 0; index < 5000; index++) write(line);
  assert.ok(stream.writableLength < 1.1 * 1024 * 1024);
  const drained = once(stream, 'drain');
  goOn();
  await drained;
  const kept = read.length;
  write('the next\n');
  assert.equal(JSON.parse(read[kept]!).lines, 5000 - kept);
  assert.deepEqual(read.slice(kept + 1), ['the next\n']);
});

test('a log that cannot be written ends nothing', async () => {
  const stream = new Writable({ write: (_chunk, _, done) => done(new Error('no space left on device')) });
  const write = createLineWriter(stream);
  write('lost\n');
  await new Promise(setImmediate);
  write('lost too\n');
  assert.equal(stream.writableLength, 0);
});
