import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { numberIn, readCgroupFiles } from '../../../sidecar/maps/cgroup-files.ts';

const pressure =
  'some avg10=0.12 avg60=0.00 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=56\n';
const stat = 'usage_usec 900\nnr_throttled 3\nthrottled_usec 77\n';

for (const [text, member, number] of [
  [pressure, 'some.total', 1234n],
  [pressure, 'full.total', 56n],
  [pressure, 'some.avg10', undefined],
  [pressure, 'none.total', undefined],
  [stat, 'nr_throttled', 3n],
  [stat, 'throttled_usec', 77n],
  [stat, 'nr', undefined],
  [stat, undefined, undefined],
  ['18446744073709551615\n', undefined, 2n ** 64n - 1n],
  ['max\n', undefined, undefined],
  ['', 'some.total', undefined],
] as const)
  test(`${JSON.stringify(member ?? 'the number')} of ${JSON.stringify(text.slice(0, 12))} is ${number}`, () =>
    assert.equal(numberIn(text, member), number));

test('each container has an entry, the sidecar none; those that are gone have one for their name', (t) => {
  const path = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(path, { recursive: true }));
  const make = (name: string, calls?: number) => {
    mkdirSync(join(path, name));
    if (calls !== undefined) writeFileSync(join(path, name, 'cpu.stat'), `nr_throttled ${calls}\n`);
    return statSync(join(path, name), { bigint: true }).ino;
  };
  const [web, job, sidecar] = [make('web', 5), make('job', 7), make('sidecar', 100)];
  make('no-such-file');
  const gone = new Set<bigint>();
  const read = readCgroupFiles(
    'cpu.stat',
    'nr_throttled',
    { path, level: 1, id: 1n, sidecar },
    { isGone: (id) => gone.has(id), departedId: () => 2n ** 63n },
  );
  const entries = () => {
    const { count, keys, values, departed } = read();
    const numbers = Array.from(
      { length: count },
      (_, i) => [keys.readBigUInt64LE(8 * i), values.readBigUInt64LE(8 * i)] as const,
    );
    return { numbers: new Map(numbers), departed };
  };
  const both = new Map([
    [web, 5n],
    [job, 7n],
  ]);
  assert.deepEqual(entries(), { numbers: both, departed: 0 });
  rmSync(join(path, 'job'), { recursive: true });
  gone.add(job);
  const after = new Map([
    [web, 5n],
    [2n ** 63n, 7n],
  ]);
  assert.deepEqual(entries(), { numbers: after, departed: 1 });
  assert.deepEqual(entries(), { numbers: after, departed: 1 });
});
