import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sidecarFlags } from '../../scripts/image.ts';
import { parseMetricSpec } from '../../sidecar/contract/metric-spec-yaml.ts';
import { readSpecApart } from '../../sidecar/read-spec.ts';
import { everything } from './contract/everything.ts';

const script = join(import.meta.dirname, '../../scripts/bpf-sidecar.ts');
// What reads a spec for this process gets the memory that the image allows.
process.execArgv = [...sidecarFlags];

const read = (yaml: string) => readSpecApart(Buffer.from(yaml), 'mine/metrics.yaml', script);

test('a spec that another process has read is the one that was written', async () => {
  assert.deepEqual(await read(everything), parseMetricSpec(everything, 'mine/metrics.yaml'));
});

test('a mistake is told in the same sentence', async () => {
  await assert.rejects(read('metrics: { gauges: [{ name: a-b }] }'), {
    message:
      'mine/metrics.yaml: metrics.gauges[0].name: must be a metric name: up to 200 letters, digits and _, and no digit first, not "a-b"',
  });
});

test('a spec of the largest size is read', async () => {
  const reasons = Array.from({ length: 300 }, (_, reason) => `${reason}: NUMBER_${reason}`).join(', ');
  const counter = (index: number) =>
    `    - { name: m${index}_total, labels: [{ name: reason, size: 2, decoders: [{ name: uint }, { name: static_map, static_map: { ${reasons} } }] }] }\n`;
  const counters = Array.from({ length: 52 }, (_, index) => counter(index)).join('');
  const yaml = `metrics:\n  counters:\n${counters}`;
  assert.ok(yaml.length > 240_000, `${yaml.length}`);
  assert.equal((await read(yaml)).metrics.length, 52);
});

for (const [what, yaml] of [
  ['lists in lists', '['.repeat(100_000)],
  ['dashes', '- '.repeat(100_000)],
  ['question marks', '? '.repeat(100_000)],
  ['a long list', `x-a: [${'a,'.repeat(125_000)}]`],
  [
    'mappings that are merged many times',
    `x-a: &a { ${Array.from({ length: 15_000 }, (_, key) => `k${key}: 1`).join()} }\nx-b: [${'{<<: *a},'.repeat(900)}]`,
  ],
] as const)
  test(`what takes more memory than there is ends another process: ${what}`, async () => {
    assert.ok(yaml.length < 256 * 1024);
    await assert.rejects(
      read(yaml),
      /^Error: mine\/metrics\.yaml: was given up: reading it took too much memory/,
    );
  });

for (const [what, yaml, message] of [
  [
    'a long text',
    `x-a: &a "${'x'.repeat(200_000)}"\nprefix: [${Array(900).fill('*a').join()}]\nmetrics: {}`,
    'mine/metrics.yaml: is larger than 1048576 bytes once its aliases are resolved',
  ],
  [
    'lists in lists',
    `metrics: ${'['.repeat(40)}${']'.repeat(40)}`,
    'mine/metrics.yaml: is nested more than 32 levels deep',
  ],
] as const)
  test(`what an alias or nesting makes large is refused: ${what}`, async () => {
    await assert.rejects(read(yaml), { message });
  });
