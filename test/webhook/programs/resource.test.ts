import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { readProgram } from '../../../webhook/programs/resource.ts';

const example = (file: string) =>
  parse(readFileSync(new URL(`../../../examples/kube-bpf/${file}`, import.meta.url), 'utf8'));
const object = { valueFrom: { configMapKeyRef: { name: 'packets', key: 'packets.bpf.o' } } };
const counter = { name: 'calls_total', help: 'Calls.', map: 'calls', labels: [] };

test('the resources of kube-bpf are read as they were shown', () => {
  const { metadata, spec } = example('packets.yaml');
  assert.deepEqual(readProgram(metadata.name, spec), {
    name: 'test',
    object: { kind: 'ConfigMap', name: 'packets', key: 'packets.bpf.o' },
  });
  const writes = example('writes.yaml');
  assert.deepEqual(readProgram(writes.metadata.name, writes.spec), {
    name: 'writes',
    object: { kind: 'ConfigMap', name: 'writes', key: 'writes.bpf.o' },
    spec: { kind: 'ConfigMap', name: 'writes', key: 'writes.metrics.yaml' },
  });
});

test('an object may be in a Secret, and a metric spec in the resource', () => {
  const value = { prefix: 'shop_', metrics: { counters: [counter] } };
  const program = { valueFrom: { secretKeyRef: { name: 'calls', key: 'o' } } };
  assert.deepEqual(readProgram('calls', { program, metrics: { value } }), {
    name: 'calls',
    object: { kind: 'Secret', name: 'calls', key: 'o' },
    spec: { kind: 'ConfigMap', name: 'calls.bpf.sh', key: 'metrics.yaml' },
    inlineSpec: value,
  });
});

const mistakes: [what: string, name: string, spec: unknown, message: RegExp][] = [
  ['no spec', 'a', undefined, /^spec: must be a mapping, not left out$/],
  ['no program', 'a', {}, /^spec\.program: must be a mapping, not left out$/],
  ['an unknown field', 'a', { program: object, probes: [] }, /^spec: unknown field "probes"; allowed are/],
  [
    'no source',
    'a',
    { program: { valueFrom: {} } },
    /^spec\.program\.valueFrom: must have either configMapKeyRef or secretKeyRef$/,
  ],
  [
    'two sources',
    'a',
    { program: { valueFrom: { ...object.valueFrom, secretKeyRef: { name: 'x', key: 'y' } } } },
    /^spec\.program\.valueFrom: must have either configMapKeyRef or secretKeyRef$/,
  ],
  [
    'no key',
    'a',
    { program: { valueFrom: { configMapKeyRef: { name: 'packets' } } } },
    /^spec\.program\.valueFrom\.configMapKeyRef\.key: must be a key of it: .*, not left out$/,
  ],
  [
    'a path for a name',
    'a',
    { program: { valueFrom: { secretKeyRef: { name: '../x', key: 'y' } } } },
    /^spec\.program\.valueFrom\.secretKeyRef\.name: must be the name of a ConfigMap or Secret, not "\.\.\/x"$/,
  ],
  [
    'a metric spec without value',
    'a',
    { program: object, metrics: {} },
    /^spec\.metrics: must have either value, the metric spec itself, or valueFrom$/,
  ],
  [
    'a mistake in the metric spec',
    'a',
    { program: object, metrics: { value: { metrics: { counters: [counter, { ...counter, map: 7 }] } } } },
    /^spec\.metrics\.value: metrics\.counters\[1\]\.map: must be .*, not 7$/,
  ],
  [
    'a metric spec that is too large',
    'a',
    { program: object, metrics: { value: { 'x-large': 'x'.repeat(256 * 1024) } } },
    /^spec\.metrics\.value: is larger than 262144 bytes/,
  ],
  [
    'a metric spec with too many regexps',
    'a',
    {
      program: object,
      metrics: { value: { 'x-a': [{ regexps: Array(20).fill('a') }, { regexps: Array(13).fill('a') }] } },
    },
    /^spec\.metrics\.value: has more than 32 regexps; with valueFrom it may have more$/,
  ],
  [
    'the name of a built-in probe',
    'tcp',
    { program: object },
    /^metadata\.name: "tcp" is the name of a built-in probe; choose another one$/,
  ],
  [
    'a name too long',
    'a'.repeat(64),
    { program: object },
    /^metadata\.name: must have at most 63 characters$/,
  ],
];

for (const [what, name, spec, message] of mistakes)
  test(`${what} is told with its field`, () => {
    assert.throws(() => readProgram(name, spec), { message });
  });
