import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { parseMetricSpec } from '../../../sidecar/contract/metric-spec-yaml.ts';
import { openMetricsFormat } from '../../../sidecar/exposition/openmetrics.ts';
import { textFormat } from '../../../sidecar/exposition/text.ts';
import type { Family } from '../../../sidecar/series/family.ts';
import { createFamilyReader } from '../../../sidecar/series/family-reader.ts';
import { mapEntries, u64 } from '../series/entries.ts';
import { constantLabels, families } from './families.ts';

/** Debian's python3: the one that has Debian's python3-prometheus-client. */
const python = '/usr/bin/python3';

const printSamples = (module: string) => `
import json, sys
from ${module} import text_fd_to_metric_families
# Universal newlines would end a line at a carriage return, which neither format does.
text = open(sys.stdin.fileno(), encoding='utf-8', newline='\\n')
for family in text_fd_to_metric_families(text):
    for sample in family.samples:
        exemplar = sample.exemplar and [sample.exemplar.labels, sample.exemplar.value, float(sample.exemplar.timestamp)]
        print(json.dumps([family.type, sample.name, sample.labels, str(float(sample.value)), exemplar]))
`;

type Sample = [
  type: string,
  name: string,
  labels: Record<string, string>,
  value: string,
  exemplar: [labels: Record<string, string>, value: number, time: number] | null,
];

function parseWith(module: string, exposition: Buffer): Sample[] {
  const { status, stdout, stderr } = spawnSync(python, ['-c', printSamples(module)], {
    input: exposition,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const promtoolMissing = missing('promtool', ['--version'], 'prometheus');
const pythonMissing = missing(python, ['-c', 'import prometheus_client'], 'python3-prometheus-client');

function missing(command: string, args: string[], debianPackage: string): string | false {
  return spawnSync(command, args).status === 0 ? false : `needs the Debian package ${debianPackage}`;
}

/** A counter whose label values are what no one should write into a string. */
function hostileFamily(): { family: Family; values: string[] } {
  const size = 10_000;
  const spec = `
metrics:
  counters:
    - name: commands_total
      help: "Commands: \\"quoted\\", C:\\\\path, \\n next line"
      labels:
        - { name: command, size: ${size}, decoders: [{ name: string }] }
`;
  const hostile: [bytes: string | Buffer, value: string][] = [
    ['say "hi"', 'say "hi"'],
    ['C:\\new\\table\\', 'C:\\new\\table\\'],
    ['two\nlines', 'two\nlines'],
    ['carriage\rreturn\ttab\x01', 'carriage\rreturn\ttab\x01'],
    ['} 1\nbpf_fake_total{a="b"} 1', '} 1\nbpf_fake_total{a="b"} 1'],
    ['{},=# ', '{},=# '],
    ['naïve 日本 😀', 'naïve 日本 😀'],
    [Buffer.from('ff c3 28 80'.replaceAll(' ', ''), 'hex'), '\ufffd\ufffd(\ufffd'],
    ['x'.repeat(size), 'x'.repeat(128)],
    ['😀'.repeat(size / 4), '😀'.repeat(128)],
    ['"'.repeat(size), '"'.repeat(128)],
    ['\\'.repeat(size), '\\'.repeat(128)],
    ['\n'.repeat(size), '\n'.repeat(128)],
    [Buffer.alloc(size, 0xff), '\ufffd'.repeat(128)],
    ['', ''],
  ];
  const entries = mapEntries(
    hostile.map(([bytes], index) => [
      Buffer.concat([Buffer.from(bytes), Buffer.alloc(size)], size),
      u64(index),
    ]),
    size,
    8,
  );
  const [metric] = parseMetricSpec(spec, 'hostile').metrics;
  const { read } = createFamilyReader(
    metric!,
    { keySize: size, valueSize: 8, created: 1_700_000_000, member: () => undefined },
    { containerName: String, wantsContainer: () => true, generation: () => 0 },
  );
  return { family: read(entries), values: hostile.map(([, value]) => value) };
}

test('promtool finds nothing to say about the text format', { skip: promtoolMissing }, () => {
  // Names that promtool's lint objects to on principle: a counter without _total, a family without help.
  const named = families.filter(({ name }) => name !== 'bpf_events' && name !== 'bpf_foreign');
  const input = textFormat.render([...named, hostileFamily().family], constantLabels);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
});

test('the OpenMetrics parser of the Python client reads every type', { skip: pythonMissing }, () => {
  const samples = parseWith(
    'prometheus_client.openmetrics.parser',
    openMetricsFormat.render(families, constantLabels),
  );
  const value = (name: string, labels: Record<string, string>) =>
    samples.find(
      ([, sample, found]) =>
        sample === name && Object.entries(labels).every(([label, text]) => found[label] === text),
    )?.[3];
  const created = 2 + 2 + 2; // Of the counter, the histogram and the summary that are known to have it.
  assert.equal(samples.length, 2 + 1 + 5 + 1 + 2 * 6 + 5 + 2 * 2 + 2 * 3 + 1 + created);
  assert.equal(samples[0]?.[0], 'counter');
  assert.deepEqual(samples[0]?.[2], {
    namespace: 'default',
    pod: 'web-1',
    container: 'web',
    syscall: 'read',
  });
  assert.equal(value('bpf_syscalls_total', { syscall: 'read' }), '9007199254740992.0');
  assert.equal(value('bpf_open_sockets', { case: 'nan' }), 'nan');
  assert.equal(value('bpf_open_sockets', { case: 'minus infinity' }), '-inf');
  assert.equal(value('bpf_rtt_seconds_bucket', { container: 'web', le: '+Inf' }), '7.0');
  assert.equal(value('bpf_rtt_seconds_count', { container: 'web' }), '7.0');
  assert.equal(value('bpf_syscalls_created', { syscall: 'read' }), '1700000000.5');
  assert.equal(value('bpf_queue_bytes_gcount', { device: 'eth0' }), '3.0');
  assert.equal(value('bpf_wait_seconds_sum', { container: 'web' }), '0.25');
  assert.equal(value('bpf_link_state', { device: 'eth0', bpf_link_state: 'up' }), '1.0');
  assert.equal(value('bpf_link_state', { device: 'eth0', bpf_link_state: 'no "carrier"' }), '0.0');
  assert.equal(value('bpf_program_info', { program: 'count' }), '1.0');
  assert.deepEqual(
    samples.flatMap(([, , { le }, , exemplar]) => (exemplar === null ? [] : [[le, ...exemplar]])),
    [
      ['0.000001', {}, 1e-7, 1_700_000_001.25],
      ['1.0', { pid: '1', comm: 'say "hi"' }, 0.75, 1_700_000_001.25],
      ['+Inf', { pid: '2' }, 4, 1_700_000_001.25],
    ],
  );
  assert.deepEqual(
    [...new Set(samples.map(([type]) => type))],
    ['counter', 'unknown', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'stateset', 'info'],
  );
});

for (const [format, module] of [
  [textFormat, 'prometheus_client.parser'],
  [openMetricsFormat, 'prometheus_client.openmetrics.parser'],
] as const)
  test(`hostile label values come back as they were: ${format.contentType}`, { skip: pythonMissing }, () => {
    const { family, values } = hostileFamily();
    const samples = parseWith(module, format.render([family], '')).filter(
      ([, name]) => name !== 'bpf_commands_created',
    );
    assert.deepEqual(
      samples.map(([, name, { command }]) => [name, command]),
      values.map((value) => ['bpf_commands_total', value]),
    );
  });
