import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseMetricSpec } from '../../../sidecar/contract/metric-spec-yaml.ts';

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
  assert.deepEqual([gauge?.type, gauge?.name, gauge?.labels[0]?.padding], ['gauge', 'bpf_open', 8]);
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

const counter = (fields: string) => `metrics: { counters: [{ name: x_total, ${fields} }] }`;
const label = (fields: string) => counter(`labels: [{ ${fields} }]`);
const histogram = (fields: string) => `metrics: { histograms: [{ name: x_seconds, ${fields} }] }`;
const buckets = (fields: string) => histogram(`value: v, labels: [], ${fields}`);
const bucketLabel = '{ name: bucket, size: 8, decoders: [{ name: uint }] }';
const otherLabel = '{ name: other, size: 8, decoders: [{ name: uint }] }';
const exp2 = 'bucket_type: exp2, bucket_max: 3';

const refused: [what: string, yaml: string, message: string | RegExp][] = [
  ['text that is not YAML', 'metrics: [', /^my\.yaml: is not valid YAML: .* at line 1, column 11$/],
  ['nothing', '', 'my.yaml: must be a mapping, not null'],
  ['too large a text', `# ${'x'.repeat(300_000)}`, /^my\.yaml: is larger than 262144 bytes/],
  [
    'a bomb of aliases',
    `x-a: &a [${'x,'.repeat(50)}]\nx-b: &b [${'*a,'.repeat(50)}]\nmetrics: [${'*b,'.repeat(50)}]`,
    /^my\.yaml: is not valid YAML: Excessive alias count/,
  ],
  [
    'a key that is there twice',
    'metrics: {}\nmetrics: {}',
    /^my\.yaml: is not valid YAML: Map keys must be unique/,
  ],
  ['no metrics', 'metrics: {}', /^my\.yaml: metrics: must have at least one metric/],
  [
    'an unknown section',
    'metrics: { quantiles: [] }',
    /^my\.yaml: metrics: unknown field "quantiles"; allowed are counters, gauges, histograms, .*, unknown$/,
  ],
  ['a feature of later', 'kaddrs: [x]\nmetrics: {}', 'my.yaml: unknown field "kaddrs"; allowed are metrics'],
  [
    'an unknown field of a counter',
    counter('perf_event_array: true, labels: []'),
    'my.yaml: metrics.counters[0]: unknown field "perf_event_array"; allowed are name, help, map, value, labels',
  ],
  ['a bucket field of a counter', counter('bucket_max: 3, labels: []'), /unknown field "bucket_max"/],
  [
    'a metric name with a dash',
    'metrics: { gauges: [{ name: a-b, labels: [] }] }',
    /^my\.yaml: metrics\.gauges\[0\]\.name: must be a metric name: .*, not "a-b"$/,
  ],
  [
    'a metric without a name',
    'metrics: { gauges: [{ labels: [] }] }',
    /gauges\[0\]\.name: must be .*, not left out$/,
  ],
  [
    'a name of our own metrics',
    'metrics: { gauges: [{ name: sidecar_x, labels: [] }] }',
    /names that begin with bpf_sidecar_ are kept/,
  ],
  [
    'the same name twice',
    'metrics: { counters: [{ name: a_total, labels: [] }], gauges: [{ name: bpf_a_total, labels: [] }] }',
    /^my\.yaml: metrics: the names bpf_a_total and bpf_a_total clash/,
  ],
  [
    'a name that an OpenMetrics counter family has',
    'metrics: { counters: [{ name: a_total, labels: [] }], gauges: [{ name: a, labels: [] }] }',
    /the names bpf_a_total and bpf_a clash on bpf_a,/,
  ],
  [
    'a name that a histogram writes',
    `metrics: { gauges: [{ name: h_sum, labels: [] }], histograms: [{ name: h, value: v, labels: [], ${exp2} }] }`,
    /the names bpf_h_sum and bpf_h clash on bpf_h_sum,/,
  ],
  [
    'a name that a gauge histogram writes',
    `metrics: { gauges: [{ name: h_gsum, labels: [] }], gauge_histograms: [{ name: h, value: v, labels: [], ${exp2} }] }`,
    /the names bpf_h_gsum and bpf_h clash on bpf_h_gsum,/,
  ],
  [
    'a name that a summary writes',
    'metrics: { gauges: [{ name: s_count, labels: [] }], summaries: [{ name: s, labels: [] }] }',
    /the names bpf_s_count and bpf_s clash on bpf_s_count,/,
  ],
  [
    'a name that tells when a counter was created',
    'metrics: { counters: [{ name: c_total, labels: [] }], gauges: [{ name: c_created, labels: [] }] }',
    /the names bpf_c_total and bpf_c_created clash on bpf_c_created,/,
  ],
  [
    'a name that an OpenMetrics info family has',
    'metrics: { gauges: [{ name: a, labels: [] }], info: [{ name: a_info, labels: [] }] }',
    /the names bpf_a and bpf_a_info clash on bpf_a,/,
  ],
  [
    'an info that is not called so',
    'metrics: { info: [{ name: program, labels: [] }] }',
    /^my\.yaml: metrics\.info\[0\]\.name: must end with _info, as the series of an info do$/,
  ],
  [
    'the value of an info',
    'metrics: { info: [{ name: a_info, value: v, labels: [] }] }',
    /info\[0\]: unknown field "value"; allowed are name, help, map, labels$/,
  ],
  [
    'a state set without states',
    'metrics: { state_sets: [{ name: a, labels: [] }] }',
    /state_sets\[0\]\.states: must be a list of 1 to 32 items, not left out$/,
  ],
  [
    'a state twice',
    'metrics: { state_sets: [{ name: a, states: [on, off, on], labels: [] }] }',
    /state_sets\[0\]\.states\[2\]: "on" is there twice$/,
  ],
  [
    'a state that YAML reads as a number',
    'metrics: { state_sets: [{ name: a, states: [1], labels: [] }] }',
    /states\[0\]: must be text of at most 128 characters, not 1$/,
  ],
  [
    'a label in the place of the state',
    'metrics: { state_sets: [{ name: a, states: [on], labels: [{ name: bpf_a, size: 8, decoders: [{ name: uint }] }] }] }',
    /labels\[0\]\.name: the label with the name of the metric tells the state, choose another$/,
  ],
  [
    'a multiplier of nothing',
    'metrics: { summaries: [{ name: a, sum_multiplier: 0, labels: [] }] }',
    /summaries\[0\]\.sum_multiplier: must be a number from 1e-18 to/,
  ],
  [
    'help without end',
    counter(`help: ${'x'.repeat(1001)}, labels: []`),
    /help: must be text of at most 1000 characters, not "x{79}…$/,
  ],
  ['a member that is no identifier', counter('value: a.b, labels: []'), /value: must be a C identifier/],
  ['labels left out', counter('help: x'), /labels: must be a list of 0 to 16 items, not left out/],
  [
    'a reserved label',
    label('name: pod, size: 8, decoders: [{ name: uint }]'),
    /labels\[0\]\.name: "pod" is set by the sidecar/,
  ],
  [
    'a label of Prometheus itself',
    label('name: __name__, size: 8, decoders: [{ name: uint }]'),
    /name: must be a label name/,
  ],
  [
    'a label twice',
    counter(`labels: [${otherLabel}, ${otherLabel}]`),
    /labels\[1\]\.name: "other" is there twice/,
  ],
  [
    'a label without size',
    label('name: a, decoders: [{ name: uint }]'),
    /size: must be a whole number from 1 to 512, not left out/,
  ],
  [
    'a size of 0',
    label('name: a, size: 0, decoders: [{ name: string }]'),
    /size: must be a whole number from 1 to 512, not 0/,
  ],
  [
    'a negative padding',
    label('name: a, size: 1, padding: -1, decoders: [{ name: uint }]'),
    /padding: must be a whole number/,
  ],
  [
    'a label without decoders',
    label('name: a, size: 8, decoders: []'),
    /decoders: must be a list of 1 to 8 items/,
  ],
  [
    'an unknown decoder',
    label('name: a, size: 8, decoders: [{ name: base64 }]'),
    /decoders\[0\]\.name: must be one of cgroup, .*, uint, not "base64"$/,
  ],
  [
    'an option of another decoder',
    label('name: a, size: 8, decoders: [{ name: uint, regexps: [a] }]'),
    /unknown field "regexps"; allowed are name$/,
  ],
  [
    'an integer of 3 bytes',
    label('name: a, size: 3, decoders: [{ name: uint }]'),
    /size: must be one of 1, 2, 4, 8 for the decoder uint, not 3$/,
  ],
  [
    'an address of 8 bytes',
    label('name: a, size: 8, decoders: [{ name: inet_ip }]'),
    /size: must be one of 4, 16 for the decoder inet_ip, not 8$/,
  ],
  [
    'a decoder of bytes after one of text',
    label('name: a, size: 4, decoders: [{ name: string }, { name: uint }]'),
    /decoders\[1\]\.name: uint reads the bytes of the key/,
  ],
  [
    'a decoder of numbers first',
    label('name: a, size: 4, decoders: [{ name: syscall }]'),
    /decoders\[0\]\.name: syscall reads a number, so the decoder before it must be uint/,
  ],
  [
    'static_map without its map',
    label('name: a, size: 4, decoders: [{ name: static_map }]'),
    /static_map: must be a mapping, not left out/,
  ],
  [
    'a static_map of lists',
    label('name: a, size: 4, decoders: [{ name: static_map, static_map: { 1: [a] } }]'),
    /static_map\.1: must be text/,
  ],
  [
    'an unclear allow_unknown',
    label('name: a, size: 4, decoders: [{ name: static_map, static_map: { 1: a }, allow_unknown: maybe }]'),
    /allow_unknown: must be true or false, not "maybe"/,
  ],
  [
    'a broken expression',
    label('name: a, size: 4, decoders: [{ name: string }, { name: regexp, regexps: ["("] }]'),
    /regexps\[0\]: must be a regular expression of JavaScript: /,
  ],
  [
    'an unknown bucket_type',
    buckets('bucket_type: log'),
    /bucket_type: must be one of exp2, exp2zero, linear, fixed, not "log"/,
  ],
  [
    'buckets without end',
    buckets('bucket_type: exp2'),
    /bucket_max: must be a whole number from 0 to 64, not left out/,
  ],
  [
    'bucket_max below bucket_min',
    buckets('bucket_type: linear, bucket_min: 5, bucket_max: 4'),
    /bucket_max: must be a whole number from 5 to 260, not 4/,
  ],
  [
    'too many buckets',
    buckets('bucket_type: linear, bucket_max: 256'),
    /bucket_max: must be a whole number from 0 to 255, not 256/,
  ],
  [
    'keys that do not ascend',
    buckets('bucket_type: fixed, bucket_keys: [1, 5, 5]'),
    /bucket_keys\[2\]: must be larger than 5/,
  ],
  [
    'keys for a range',
    buckets(`${exp2}, bucket_keys: [1]`),
    /bucket_keys: bucket_type exp2 does not have this field/,
  ],
  [
    'a range for keys',
    buckets('bucket_type: fixed, bucket_keys: [1], bucket_max: 3'),
    /bucket_max: bucket_type fixed does not have this field/,
  ],
  [
    'a multiplier of 0',
    buckets(`${exp2}, bucket_multiplier: 0`),
    /bucket_multiplier: must be a number from 1e-18 to/,
  ],
  [
    'no label for the bucket',
    histogram(`labels: [${otherLabel}], ${exp2}`),
    /labels: the last label, and no other, must be called "bucket"/,
  ],
  [
    'the bucket not last',
    histogram(`labels: [${bucketLabel}, ${otherLabel}], ${exp2}`),
    /labels: the last label, and no other, must be called "bucket"/,
  ],
  [
    'the bucket told twice',
    histogram(`value: v, labels: [${bucketLabel}], ${exp2}`),
    /labels\[0\]: the buckets are in value "v", so the label "bucket" must go/,
  ],
  [
    'a bucket that is no integer',
    histogram(`labels: [{ name: bucket, size: 8, decoders: [{ name: hex }] }], ${exp2}`),
    /the label "bucket" must have the decoder uint/,
  ],
  [
    'a bucket label of a counter',
    counter(`labels: [${bucketLabel}]`),
    /labels\[0\]\.name: "bucket" is for histograms/,
  ],
];

for (const [what, yaml, message] of refused)
  test(`refused: ${what}`, () => {
    assert.throws(() => parse(yaml), { message });
  });
