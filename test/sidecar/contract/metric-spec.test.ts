import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseMetricSpec } from '../../../sidecar/contract/metric-spec-yaml.ts';
import { refused, scalar } from './refused-specs.ts';

const parse = (yaml: string) => parseMetricSpec(yaml, 'my.yaml').metrics;

test('a counter as ebpf_exporter writes it', () => {
  const yaml = `
metrics:
  counters:
    - name: page_cache_ops_total
      help: Page cache operation counters by type
      labels:
        - name: op
          size: 4
          decoders:
            - name: uint
            - name: static_map
              static_map:
                1: read
                2: write
        - name: command
          size: 128
          padding: 4
          decoders:
            - name: string
            - name: regexp
              regexps:
                - ^systemd-journal$
`;
  assert.deepEqual(parse(yaml), [
    {
      type: 'counter',
      name: 'bpf_page_cache_ops_total',
      help: 'Page cache operation counters by type',
      map: 'page_cache_ops_total',
      labels: [
        {
          name: 'op',
          size: 4,
          padding: 0,
          decoders: [
            { name: 'uint' },
            {
              name: 'static_map',
              staticMap: new Map([
                ['1', 'read'],
                ['2', 'write'],
              ]),
              allowUnknown: false,
            },
          ],
        },
        {
          name: 'command',
          size: 128,
          padding: 4,
          decoders: [{ name: 'string' }, { name: 'regexp', regexps: ['^systemd-journal$'] }],
        },
      ],
    },
  ]);
});

test('a histogram whose keys end with the bucket', () => {
  const [metric] = parse(`
metrics:
  histograms:
    - name: bio_latency_seconds
      help: Block IO latency histogram
      bucket_type: exp2
      bucket_min: 0
      bucket_max: 3
      bucket_multiplier: 0.000001 # microseconds to seconds
      labels:
        - { name: operation, size: 4, padding: 4, decoders: [{ name: uint }] }
        - { name: bucket, size: 8, decoders: [{ name: uint }] }
`);
  assert.deepEqual(metric, {
    type: 'histogram',
    name: 'bpf_bio_latency_seconds',
    help: 'Block IO latency histogram',
    map: 'bio_latency_seconds',
    buckets: { type: 'exp2', keys: [0, 1, 2, 3], multiplier: 1e-6 },
    labels: [{ name: 'operation', size: 4, padding: 4, decoders: [{ name: 'uint' }] }],
    bucketKey: { size: 8, padding: 0 },
  });
});

test('map, value, gauges, anchors and merge keys', () => {
  const [counter, gauge] = parse(`
x-labels: &labels
  - &container { name: container, size: 8, decoders: [{ name: cgroup }] }
metrics:
  counters:
    - name: bpf_opened_total
      map: tcp
      value: opened
      labels: *labels
  gauges:
    - name: open
      map: tcp
      value: open
      labels:
        - { <<: *container, padding: 8 }
`);
  assert.deepEqual(
    [counter?.name, counter?.help, counter?.map, counter?.value],
    ['bpf_opened_total', '', 'tcp', 'opened'],
  );
  assert.deepEqual([gauge?.type, gauge?.name, gauge?.labels?.[0]?.padding], ['gauge', 'bpf_open', 8]);
});

test('the types that ebpf_exporter does not have', () => {
  const metrics = parse(`
metrics:
  unknown: [{ name: foreign, labels: [] }]
  info: [{ name: program_info, map: programs, labels: [] }]
  state_sets: [{ name: tcp_state, states: [open, closed], labels: [] }]
  summaries: [{ name: rtt_seconds, value: rtt, sum_multiplier: 1e-6, labels: [] }, { name: rtt_bytes, labels: [] }]
  gauge_histograms: [{ name: queue_bytes, value: queue, bucket_type: exp2, bucket_max: 1, labels: [] }]
`);
  const head = { help: '', labels: [] };
  assert.deepEqual(
    new Map(metrics.map((metric) => [metric.name, metric])),
    new Map<string, unknown>([
      ['bpf_foreign', { ...head, type: 'unknown', name: 'bpf_foreign', map: 'foreign' }],
      ['bpf_program_info', { ...head, type: 'info', name: 'bpf_program_info', map: 'programs' }],
      [
        'bpf_tcp_state',
        { ...head, type: 'stateset', name: 'bpf_tcp_state', map: 'tcp_state', states: ['open', 'closed'] },
      ],
      [
        'bpf_rtt_seconds',
        {
          ...head,
          type: 'summary',
          name: 'bpf_rtt_seconds',
          map: 'rtt_seconds',
          value: 'rtt',
          multiplier: 1e-6,
        },
      ],
      ['bpf_rtt_bytes', { ...head, type: 'summary', name: 'bpf_rtt_bytes', map: 'rtt_bytes', multiplier: 1 }],
      [
        'bpf_queue_bytes',
        {
          ...head,
          type: 'gaugehistogram',
          name: 'bpf_queue_bytes',
          map: 'queue_bytes',
          value: 'queue',
          buckets: { type: 'exp2', keys: [0, 1], multiplier: 1 },
        },
      ],
    ]),
  );
});

test('what a spec says of the whole probe', () => {
  const spec = parseMetricSpec(
    `
prefix: ebpf_exporter_
kaddrs: [jiffies, bpf_jit_current]
cgroup_id_map: { name: cgroups, regexps: ["^.*(system.slice/.*)$"] }
metrics:
  gauges: [{ name: a, labels: [] }, { name: ebpf_exporter_b }]
  histograms: [{ name: h, value: v, exemplars: last, labels: [], bucket_type: exp2, bucket_max: 1 }]
`,
    'my.yaml',
  );
  assert.deepEqual(spec.kernelAddresses, ['jiffies', 'bpf_jit_current']);
  assert.deepEqual(spec.cgroupIdMap, { map: 'cgroups', type: 'hash', regexps: ['^.*(system.slice/.*)$'] });
  assert.deepEqual(
    spec.metrics.map(({ name, map, labels }) => [name, map, labels]),
    [
      ['ebpf_exporter_a', 'a', []],
      ['ebpf_exporter_b', 'ebpf_exporter_b', undefined],
      ['ebpf_exporter_h', 'h', []],
    ],
  );
  assert.deepEqual(spec.metrics.map((metric) => 'exemplars' in metric && metric.exemplars).at(-1), 'last');
});

test('what ebpf_exporter accepts is accepted', () => {
  const spec = parseMetricSpec(
    `
tracing: { spans: [{ name: exec, ringbuf: execs, labels: [] }] }
metrics:
  counters:
    - name: opened_total
      perf_event_array: true
      flush_interval: 1.5h
      labels:
        - { name: pod, size: 4, decoders: [{ name: uint }, { name: cgroup }] }
        - { name: flag, size: 1, decoders: [{ name: uint }, { name: static_map, static_map: { 0: false, 1: true } }] }
        - { name: args, size: 16384, decoders: [{ name: string }] }
  histograms:
    - name: wait_seconds
      bucket_type: fixed
      bucket_min: 0
      bucket_max: 0
      bucket_keys: [1, 2.5, 5]
      labels: [{ name: slot, size: 8, decoders: [{ name: uint }] }]
    - { name: many, value: v, labels: [], bucket_type: linear, bucket_min: 1, bucket_max: 1000 }
`,
    'my.yaml',
  );
  const [opened, wait, many] = spec.metrics;
  assert.equal(spec.remark, 'the spans of "tracing" in its metric spec are not made');
  assert.equal(opened && 'forgetAfter' in opened && opened.forgetAfter, 5_400_000);
  assert.deepEqual(opened?.labels?.[0], {
    name: 'exported_pod',
    size: 4,
    padding: 0,
    decoders: [{ name: 'uint' }, { name: 'cgroup', lowBits: true }],
  });
  assert.deepEqual(opened?.labels?.[1]?.decoders[1], {
    name: 'static_map',
    staticMap: new Map([
      ['0', 'false'],
      ['1', 'true'],
    ]),
    allowUnknown: false,
  });
  assert.deepEqual(wait && 'buckets' in wait && wait.buckets.keys, [1, 2.5, 5]);
  assert.deepEqual(wait && 'bucketKey' in wait && wait.bucketKey, { size: 8, padding: 0 });
  assert.equal(many && 'buckets' in many && many.buckets.keys.length, 1000);
});

test('an empty prefix leaves the names as they are written', () => {
  assert.equal(parse(`prefix: ""\n${scalar}`)[0]?.name, 'a');
});

test('one anchor may serve every metric of a large spec', () => {
  const counters = Array.from(
    { length: 100 },
    (_, index) => `    - { name: c${index}_total, labels: [*a, *b] }\n`,
  );
  const labels = ['a', 'b'].map(
    (name) => `  - &${name} { name: ${name}, size: 4, decoders: [{ name: uint }] }\n`,
  );
  assert.equal(parse(`x-labels:\n${labels.join('')}metrics:\n  counters:\n${counters.join('')}`).length, 100);
});

test('the specs of the built-in probes are valid', () => {
  const folder = new URL('../../../bpf/', import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  assert.notEqual(files.length, 0);
  for (const file of files) parseMetricSpec(readFileSync(new URL(file, folder), 'utf8'), file);
});

for (const [what, yaml, message] of refused)
  test(`refused: ${what}`, () => {
    assert.throws(() => parse(yaml), { message });
  });
