/** A spec with nothing wrong. */
export const scalar = 'metrics: { gauges: [{ name: a, labels: [] }] }';
const counter = (fields: string) => `metrics: { counters: [{ name: x_total, ${fields} }] }`;
const label = (fields: string) => counter(`labels: [{ ${fields} }]`);
const histogram = (fields: string) => `metrics: { histograms: [{ name: x_seconds, ${fields} }] }`;
const buckets = (fields: string) => histogram(`value: v, labels: [], ${fields}`);
const bucketLabel = '{ name: bucket, size: 8, decoders: [{ name: uint }] }';
const otherLabel = '{ name: other, size: 8, decoders: [{ name: uint }] }';
const exp2 = 'bucket_type: exp2, bucket_max: 3';

/** Specs that must not be read, and why, with `my.yaml` as their source. */
export const refused: [what: string, yaml: string, message: string | RegExp][] = [
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
  [
    'a map beside the file of a cgroup',
    'metrics: { counters: [{ name: x_total, cgroup_file: cpu.stat, map: m }] }',
    'my.yaml: metrics.counters[0]: unknown field "map"; allowed are name, help, cgroup_file, value, multiplier',
  ],
  [
    'a file that is not one of a cgroup',
    'metrics: { gauges: [{ name: x, cgroup_file: ../cpu.stat }] }',
    'my.yaml: metrics.gauges[0].cgroup_file: must be a file of a cgroup: cpu.stat, not "../cpu.stat"',
  ],
  [
    'a number of a file that has no such name',
    'metrics: { gauges: [{ name: x, cgroup_file: cpu.stat, value: a b }] }',
    'my.yaml: metrics.gauges[0].value: must be the name of a number in the file: nr_throttled, some.total, not "a b"',
  ],
  [
    'a multiplier of zero',
    'metrics: { counters: [{ name: x_total, map: m, multiplier: 0 }] }',
    'my.yaml: metrics.counters[0].multiplier: must be a number from 1e-18 to 1000000000000000000, not 0',
  ],
  ['no metrics', 'metrics: {}', /^my\.yaml: metrics: must have at least one metric/],
  [
    'an unknown section',
    'metrics: { quantiles: [] }',
    /^my\.yaml: metrics: unknown field "quantiles"; allowed are counters, gauges, histograms, .*, unknown$/,
  ],
  [
    'an unknown field at the top',
    'histograms: []\nmetrics: {}',
    'my.yaml: unknown field "histograms"; allowed are prefix, metrics, kaddrs, cgroup_id_map, programs, tracing',
  ],
  [
    'spans and no metrics',
    'tracing: { spans: [] }',
    'my.yaml: metrics: must be given, because the spans of "tracing" are not made',
  ],
  [
    'a prefix with a dash',
    'prefix: a-\nmetrics: {}',
    'my.yaml: prefix: must be empty or up to 64 letters, digits and _, and no digit first, not "a-"',
  ],
  [
    'a name of our own metrics behind another prefix',
    'prefix: ""\nmetrics: { gauges: [{ name: bpf_webhook_x, labels: [] }] }',
    /names that begin with bpf_webhook_ are kept/,
  ],
  [
    'the address of something that is no symbol',
    `kaddrs: [jiffies, "a b"]\n${scalar}`,
    'my.yaml: kaddrs[1]: must be the name of a kernel symbol, not "a b"',
  ],
  [
    'an address twice',
    `kaddrs: [jiffies, jiffies]\n${scalar}`,
    'my.yaml: kaddrs[1]: "jiffies" is there twice',
  ],
  [
    'a cgroup map of another type',
    `cgroup_id_map: { name: a, type: array, regexps: [x] }\n${scalar}`,
    'my.yaml: cgroup_id_map.type: must be one of hash, cgrp_storage, not "array"',
  ],
  [
    'a cgroup map of no cgroups',
    `cgroup_id_map: { name: a, regexps: [] }\n${scalar}`,
    /cgroup_id_map\.regexps: must be a list of 1 to 32 items/,
  ],
  [
    'an unknown field of a counter',
    counter('histogram: true, labels: []'),
    'my.yaml: metrics.counters[0]: unknown field "histogram"; allowed are name, help, map, value, labels, cgroup_file, multiplier, perf_event_array, flush_interval',
  ],
  [
    'a subject that is none',
    `programs: [{ name: a, subject: waker }]\n${scalar}`,
    'my.yaml: programs[0].subject: must be one of current, arg0, arg1, arg2, arg3, node, not "waker"',
  ],
  [
    'a program twice',
    `programs: [{ name: a, subject: node }, { name: a, subject: arg0 }]\n${scalar}`,
    'my.yaml: programs[1].name: "a" is there twice',
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
  ['labels of nothing', counter('labels: ~'), /labels: must be a list of 0 to 16 items, not null/],
  [
    'a reserved label',
    label('name: le, size: 8, decoders: [{ name: uint }]'),
    /labels\[0\]\.name: "le" is part of the exposition formats, choose another label name$/,
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
    /size: must be a whole number from 1 to 16384, not left out/,
  ],
  [
    'a size of 0',
    label('name: a, size: 0, decoders: [{ name: string }]'),
    /size: must be a whole number from 1 to 16384, not 0/,
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
    /unknown field "regexps"; allowed are name, digits$/,
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
    /regexps\[0\]: must be a regular expression in the syntax of RE2: .*missing closing \)/,
  ],
  [
    'an expression that RE2 does not have',
    label('name: a, size: 4, decoders: [{ name: string }, { name: regexp, regexps: ["(a)\\\\1"] }]'),
    /regexps\[0\]: must be a regular expression in the syntax of RE2: /,
  ],
  [
    'more expressions than can be compiled in a moment',
    counter(
      `labels: [${Array.from({ length: 3 }, (_, index) => `{ name: l${index}, size: 4, decoders: [{ name: string }, { name: regexp, regexps: [${'a, '.repeat(22)}] }] }`)}]`,
    ),
    'my.yaml: metrics: has 66 regular expressions in its labels; 64 is the most',
  ],
  [
    'a cache of less than nothing',
    label('name: a, size: 4, decoders: [{ name: regexp, regexps: [a], skip_cache_size: -1 }]'),
    /decoders\[0\]\.skip_cache_size: must be a whole number from 0 to /,
  ],
  [
    'more digits than a number has',
    label('name: a, size: 4, decoders: [{ name: uint, digits: 21 }]'),
    /decoders\[0\]\.digits: must be a whole number from 1 to 20, not 21$/,
  ],
  [
    'a stack id without a map',
    label('name: a, size: 4, decoders: [{ name: kstack_id }]'),
    /decoders\[0\]\.map: must be a C identifier of at most 128 characters, not left out$/,
  ],
  [
    'an enum without a name',
    label('name: a, size: 4, decoders: [{ name: uint }, { name: kernel_enum, prefix: SKB_ }]'),
    /decoders\[1\]\.enum: must be a C identifier of at most 128 characters, not left out$/,
  ],
  [
    'a stack of half an address',
    label('name: a, size: 12, decoders: [{ name: kstack }]'),
    /size: must be a multiple of 8 for the decoder kstack, not 12$/,
  ],
  [
    'a label twice, once as it is and once to make room for ours',
    counter(
      `labels: [${otherLabel.replace('other', 'pod')}, ${otherLabel.replace('other', 'exported_pod')}]`,
    ),
    /labels\[1\]\.name: "exported_pod" is there twice/,
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
    /bucket_max: must be a whole number from 5 to 1004, not 4/,
  ],
  [
    'too many buckets',
    buckets('bucket_type: linear, bucket_max: 1000'),
    /bucket_max: must be a whole number from 0 to 999, not 1000/,
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
    'a range beside keys that is none',
    buckets('bucket_type: fixed, bucket_keys: [1], bucket_max: many'),
    /bucket_max: must be a whole number from 0 to 10000000000000, not "many"$/,
  ],
  [
    'a key below nothing',
    buckets('bucket_type: fixed, bucket_keys: [-0.5, 1]'),
    /bucket_keys\[0\]: must be a number from 0 to 10000000000000, not -0\.5$/,
  ],
  [
    'keys that would be printed alike',
    buckets('bucket_type: fixed, bucket_keys: [1, 1.00000000000001]'),
    /bucket_keys\[1\]: must be larger than 1, because the keys ascend$/,
  ],
  [
    'a duration without end',
    counter('flush_interval: 8761h, labels: []'),
    /flush_interval: must be at most 8760h, not "8761h"$/,
  ],
  [
    'a duration of nothing',
    counter('flush_interval: 0.0s, labels: []'),
    /flush_interval: must be a duration such as 10s or 1m30s, not "0\.0s"$/,
  ],
  [
    'a duration without a unit',
    counter('flush_interval: 1.5, labels: []'),
    /flush_interval: must be a duration such as 10s or 1m30s, not 1\.5$/,
  ],
  [
    'a multiplier of 0',
    buckets(`${exp2}, bucket_multiplier: 0`),
    /bucket_multiplier: must be a number from 1e-18 to/,
  ],
  [
    'no label for the bucket',
    histogram(`labels: [], ${exp2}`),
    /labels: the last label, and no other, must be the bucket, because no "value" holds the buckets$/,
  ],
  [
    'the bucket not last',
    histogram(`labels: [${bucketLabel}, ${otherLabel}], ${exp2}`),
    /labels: the last label, and no other, must be the bucket/,
  ],
  [
    'the bucket told twice',
    histogram(`value: v, labels: [${bucketLabel}], ${exp2}`),
    /labels\[0\]: the buckets are in value "v", so the label "bucket" must go/,
  ],
  [
    'a bucket that is no integer',
    histogram(`labels: [{ name: bucket, size: 8, decoders: [{ name: hex }] }], ${exp2}`),
    /labels\[0\]\.decoders: the last label is the bucket, .*, and must have the decoder uint and no other$/,
  ],
  [
    'a bucket label of a counter',
    counter(`labels: [${bucketLabel}]`),
    /labels\[0\]\.name: "bucket" is for histograms/,
  ],
];
