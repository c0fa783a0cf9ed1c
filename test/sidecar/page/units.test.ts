import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format, formatRate, type Unit, unitOf } from '../../../sidecar/page/units.ts';

test('a unit is the last word of a name', () => {
  for (const [name, unit] of [
    ['bpf_cpu_time_seconds_total', 'seconds'],
    ['bpf_memory_usage_bytes', 'bytes'],
    ['bpf_hit_ratio', 'ratio'],
    ['bpf_seconds_lost_total', 'count'],
  ])
    assert.equal(unitOf(name!), unit);
});

for (const [value, unit, expected] of [
  [0, 'count', '0'],
  [0.0333, 'count', '0.033'],
  [3.456, 'count', '3.46'],
  [12.345, 'count', '12.3'],
  [9_999_999, 'count', '9,999,999'],
  [12_345_678, 'count', '12.3M'],
  [0, 'seconds', '0 s'],
  [5e-8, 'seconds', '50 ns'],
  [6.4e-5, 'seconds', '64 µs'],
  [0.0249, 'seconds', '24.9 ms'],
  [90, 'seconds', '90 s'],
  [Number.POSITIVE_INFINITY, 'seconds', '∞'],
  [1023, 'bytes', '1,023 B'],
  [82.1 * 1024, 'bytes', '82.1 KiB'],
  [2 ** 31, 'bytes', '2 GiB'],
  [0.0041, 'ratio', '0.41 %'],
  [-5, 'count', '−5'],
  [Number.NaN, 'count', '–'],
  [null, 'bytes', '–'],
] as const satisfies (readonly [number | null, Unit, string])[])
  test(`${value} ${unit} are ${expected}`, () => assert.equal(format(value, unit), expected));

test('rates are by second', () => {
  assert.equal(formatRate(1536, 'bytes'), '1.50 KiB/s');
  assert.equal(formatRate(0.004, 'seconds'), '4 ms/s');
  assert.equal(formatRate(0, 'seconds'), '0 ms/s');
  assert.equal(formatRate(undefined, 'count'), '–');
});
