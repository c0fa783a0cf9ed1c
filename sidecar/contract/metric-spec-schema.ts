import { bucketLimits, bucketTypes } from './bucket-spec.ts';
import { durationShape } from './checks.ts';
import {
  type DecoderName,
  decoderFields,
  decoderNames,
  decoderSizes,
  frameSize,
  identifierShape,
  labelLimits,
  labelNameShape,
  readsBytes,
  readsNumbers,
  reserved,
} from './label-spec.ts';
import {
  cgroupFileShape,
  cgroupIdMapTypes,
  cgroupValueShape,
  mapShape,
  metricShape,
  prefixShape,
  specLimits,
  subjectChoices,
  symbolShape,
} from './metric-spec.ts';

type Schema = Readonly<Record<string, unknown>>;

/**
 * The format of metric specs as a JSON Schema (draft-07, which editors know best), from the names, shapes and
 * limits that the checks in this folder use. It says all that a schema can; between fields there is more: that names
 * do not clash, say. What it refuses the checks refuse too.
 */
export function metricSpecSchema(): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'https://bpf.sh/v1alpha1/metric-spec.schema.json',
    title: 'Metric spec of bpf-sidecar',
    description:
      'How the maps of an eBPF object become metrics: a superset of the configuration of ebpf_exporter v2.',
    ...object(
      {
        tracing: { description: 'Ignored: spans are not made.' },
        prefix: {
          type: 'string',
          pattern: prefixShape.source,
          default: 'bpf_',
          description: 'Put before the names that do not begin with it.',
        },
        metrics: {
          ...object({
            counters: section('counter', 'Counters: numbers that only grow.'),
            gauges: section('scalar', 'Gauges: numbers that go up and down.'),
            histograms: section('histogram', 'Histograms.'),
            gauge_histograms: section('gaugeHistogram', 'Histograms whose counts can become fewer.'),
            summaries: section('summary', 'Counts of observed values, and their sums.'),
            state_sets: section('stateSet', 'Sets of states, each on or off.'),
            info: section('info', 'A series for each key of a map, whatever its value.'),
            unknown: section('scalar', 'Numbers of which nobody knows whether they only grow.'),
          }),
          minProperties: 1,
        },
        kaddrs: {
          ...items({ type: 'string', pattern: symbolShape.source }, specLimits.kernelAddresses),
          uniqueItems: true,
          description: 'Kernel symbols whose addresses the program finds in its variables kaddr_<symbol>.',
        },
        cgroup_id_map: {
          ...object({ name: identifier, type: { enum: cgroupIdMapTypes }, regexps }, ['name', 'regexps']),
          description: 'A map that gets the cgroups of the containers that match.',
        },
        programs: {
          ...items(
            object({ name: identifier, subject: { enum: subjectChoices } }, ['name', 'subject']),
            specLimits.programs,
          ),
          description: 'Whom the events of programs are about, where their hooks do not tell.',
        },
      },
      ['metrics'],
    ),
    patternProperties: { '^x-': { description: 'Ignored: a place for YAML anchors.' } },
    definitions: {
      counter: { anyOf: [metric({ value, multiplier, ...events }), cgroupFileMetric] },
      scalar: { anyOf: [metric({ value, multiplier }), cgroupFileMetric] },
      info: metric({ name: { allOf: [metricName, { pattern: '_info$' }] } }),
      stateSet: metric(
        { value, states: { ...items(text(specLimits.stateLength), specLimits.states), uniqueItems: true } },
        ['states'],
      ),
      summary: metric({ value, sum_multiplier: multiplier }),
      histogram: histogram({
        exemplars: { ...identifier, description: 'Name of the map with the last event of each bucket.' },
      }),
      gaugeHistogram: histogram({}),
      label,
      plainLabel: {
        allOf: [{ $ref: '#/definitions/label' }],
        properties: { name: { not: { const: 'bucket' } } },
      },
      decoder: { oneOf: decoderNames.map(decoder) },
    },
  };
}

const identifier = { type: 'string', pattern: identifierShape.source };
const metricName = { type: 'string', pattern: metricShape.source };
const value = {
  ...identifier,
  description: "The member of the map's value struct to read; without it the whole value is the number.",
};
const events = {
  perf_event_array: { type: 'boolean', description: 'Whether the map has to hold events.' },
  flush_interval: {
    type: 'string',
    pattern: durationShape.source,
    description: 'How long without an event of its kind until a series goes, up to 8760h.',
  },
};
const { min, max } = bucketLimits.multiplier;
const multiplier = { type: 'number', minimum: min, maximum: max, default: 1 };
const cgroupFileMetric = object(
  {
    name: metricName,
    help: text(specLimits.helpLength),
    cgroup_file: {
      type: 'string',
      pattern: cgroupFileShape.source,
      description: 'The file of each container cgroup that holds the number, instead of a map.',
    },
    value: {
      type: 'string',
      pattern: cgroupValueShape.source,
      description: 'The name of the number in the file; without it the file is one number.',
    },
    multiplier,
  },
  ['name', 'cgroup_file'],
);
const regexps = {
  ...items(text(labelLimits.regexpLength), labelLimits.regexps),
  description: 'Regular expressions in the syntax of RE2.',
};

const label: Schema = {
  ...object(
    {
      name: { type: 'string', pattern: labelNameShape.source, not: { pattern: reserved.source } },
      size: { ...integer(1, labelLimits.size), description: 'Bytes of the key.' },
      padding: { ...integer(0, labelLimits.size), default: 0, description: 'Unused bytes after it.' },
      decoders: {
        ...items([ref('decoder')], labelLimits.decoders),
        additionalItems: {
          allOf: [ref('decoder'), { properties: { name: { not: { enum: readsBytes } } } }],
        },
        description: 'Applied in turn.',
      },
    },
    ['name', 'size', 'decoders'],
  ),
  allOf: [
    ...Object.entries(decoderSizes).map(([name, sizes]) => whenDecodedBy(name, { enum: sizes })),
    whenDecodedBy('kstack', { multipleOf: frameSize }),
    { not: { properties: { decoders: { items: [{ properties: { name: { enum: readsNumbers } } }] } } } },
    implies(
      { properties: { name: { const: 'bucket' } }, required: ['name'] },
      { properties: { decoders: { maxItems: 1, items: [{ properties: { name: { const: 'uint' } } }] } } },
    ),
  ],
};

function whenDecodedBy(name: string, size: Schema): Schema {
  const decoders = { contains: { properties: { name: { const: name } }, required: ['name'] } };
  return implies({ properties: { decoders }, required: ['decoders'] }, { properties: { size } });
}

/** What the fields of decoders besides `name` are. */
const decoderOptions: Schema = {
  digits: {
    ...integer(...labelLimits.digits),
    description: 'Numbers of fewer digits get zeros before them.',
  },
  regexps,
  skip_cache_size: { ...integer(...labelLimits.skipCacheSize), description: 'Ignored.' },
  static_map: {
    type: 'object',
    minProperties: 1,
    maxProperties: labelLimits.staticMapEntries,
    additionalProperties: { anyOf: [text(labelLimits.staticMapText), { type: ['number', 'boolean'] }] },
  },
  allow_unknown: { type: 'boolean', default: false },
  map: { ...identifier, description: 'Name of the map with the stacks.' },
  enum: { ...identifier, description: 'Name of an enum of the kernel.' },
  prefix: { ...identifier, description: 'Taken off the names of its values.' },
};
const requiredOptions = ['regexps', 'static_map', 'map', 'enum'];

function decoder(name: DecoderName): Schema {
  const options = decoderFields[name] ?? [];
  return object(
    {
      name: { const: name },
      ...Object.fromEntries(options.map((option) => [option, decoderOptions[option]])),
    },
    ['name', ...options.filter((option) => requiredOptions.includes(option))],
  );
}

function metric(properties: Schema, required: string[] = [], labels = ref('plainLabel')): Schema {
  return object(
    {
      name: metricName,
      help: text(specLimits.helpLength),
      map: {
        type: 'string',
        pattern: mapShape.source,
        description:
          'Name of the map, .bss, .data, .bss.<name> or .data.<name>; by default that of the metric.',
      },
      labels: {
        ...items(labels, specLimits.labels),
        description: "How the map's key becomes labels; when left out, its BTF tells.",
      },
      ...properties,
    },
    ['name', ...required],
  );
}

function histogram(properties: Schema): Schema {
  const fields = {
    bucket_type: { enum: bucketTypes },
    bucket_min: { ...integer(0, bucketLimits.key), default: 0 },
    bucket_max: integer(0, bucketLimits.key),
    bucket_keys: {
      ...items({ type: 'number', minimum: 0, maximum: bucketLimits.key }, [1, bucketLimits.buckets]),
      uniqueItems: true,
      description: 'Ascending.',
    },
    bucket_multiplier: multiplier,
  };
  const fixed = { properties: { bucket_type: { const: 'fixed' } }, required: ['bucket_type'] };
  const exponential = {
    properties: { bucket_type: { enum: ['exp2', 'exp2zero'] } },
    required: ['bucket_type'],
  };
  const exponent = integer(0, bucketLimits.exponent);
  const fromZero = { not: { anyOf: [fixed, { required: ['bucket_min'] }] } };
  const inValue = { required: ['value'] };
  return {
    ...metric({ value, ...events, ...properties, ...fields }, ['bucket_type'], ref('label')),
    allOf: [
      implies(inValue, { properties: { labels: { items: ref('plainLabel') } } }),
      implies({ not: inValue }, { properties: { labels: { minItems: 1 } } }),
      implies(fixed, { required: ['bucket_keys'] }),
      implies({ not: fixed }, { required: ['bucket_max'], properties: { bucket_keys: false } }),
      implies(fromZero, { properties: { bucket_max: integer(0, bucketLimits.buckets - 1) } }),
      implies(exponential, { properties: { bucket_min: exponent, bucket_max: exponent } }),
    ],
  };
}

function implies(condition: Schema, consequence: Schema): Schema {
  return { anyOf: [{ not: condition }, consequence] };
}

function section(definition: string, description: string): Schema {
  return { ...items(ref(definition), specLimits.metrics), description };
}

function ref(definition: string): Schema {
  return { $ref: `#/definitions/${definition}` };
}

function object(properties: Schema, required: string[] = []): Schema {
  return { type: 'object', properties, required, additionalProperties: false };
}

function items(each: Schema | Schema[], [minItems, maxItems]: readonly [number, number]): Schema {
  return { type: 'array', items: each, minItems, maxItems };
}

function text(maxLength: number): Schema {
  return { type: 'string', maxLength };
}

function integer(minimum: number, maximum: number): Schema {
  return { type: 'integer', minimum, maximum };
}
