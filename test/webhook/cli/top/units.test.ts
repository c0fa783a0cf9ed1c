import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatNumber, formatSeconds } from '../../../../webhook/cli/top/units.ts';

for (const [format, value, text] of [
  [formatNumber, 0, '0'],
  [formatNumber, 4.66, '4.7'],
  [formatNumber, 99.96, '100'],
  [formatNumber, 12_345.4, '12,345'],
  [formatNumber, 1_234_567, '1.2M'],
  [formatBytes, 0, '0 B/s'],
  [formatBytes, 1023, '1,023 B/s'],
  [formatBytes, 85_094, '83.1 KiB/s'],
  [formatBytes, 5 * 2 ** 40, '5,120 GiB/s'],
  [formatSeconds, undefined, '-'],
  [formatSeconds, 0.000_004, '4.0 µs'],
  [formatSeconds, 0.000_031, '31 µs'],
  [formatSeconds, 0.0021, '2.1 ms'],
  [formatSeconds, 2.12, '2.1 s'],
] as const)
  test(`${value} is shown as ${text}`, () =>
    assert.equal((format as (value?: number) => string)(value), text));
