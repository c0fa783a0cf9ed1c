import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../../../../webhook/cli/top/samples.ts';

test('samples are read with their labels, escapes undone', () => {
  const text = [
    '# HELP bpf_a_total What it says.',
    '# TYPE bpf_a_total counter',
    'bpf_a_total{container="web",path="C:\\\\x \\"y\\"\\n}"} 12',
    'up 1 1700000000000',
    'bpf_b_bucket{le="+Inf"} 3.5e+2',
    'bpf_c +Inf',
    '',
  ].join('\n');
  assert.deepEqual(parse(text), [
    { name: 'bpf_a_total', labels: { container: 'web', path: 'C:\\x "y"\n}' }, value: 12 },
    { name: 'up', labels: {}, value: 1 },
    { name: 'bpf_b_bucket', labels: { le: '+Inf' }, value: 350 },
    { name: 'bpf_c', labels: {}, value: Number.POSITIVE_INFINITY },
  ]);
});

test('a line that is no sample is an error that shows it', () => {
  assert.throws(() => parse('<html>'), /a scrape has a line that is no sample: <html>/);
});
