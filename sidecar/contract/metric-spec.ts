import { type Buckets, bucketFields, parseBuckets } from './bucket-spec.ts';
import { anyMapping, fail, list, mapping, shaped, text } from './checks.ts';
import { type KeyPart, type LabelSpec, parseLabel } from './label-spec.ts';

/**
 * The metric spec: how the maps of an object become metrics. The format is a superset of the configuration
 * of cloudflare/ebpf_exporter v2. Ours are `gauges`, and `map` and `value` of every metric. Top-level keys
 * that begin with `x-` are ignored, so that YAML anchors have a place to live.
 */
export interface MetricSpec {
  metrics: Metric[];
}

export type Metric = ScalarMetric | HistogramMetric;

interface MetricHead {
  /** Full name as exposed, with the `bpf_` prefix. */
  name: string;
  /** May be empty. */
  help: string;
  /** Name of the BPF map. */
  map: string;
  /** The member of the map's value struct to read; without it the whole value is one u64. */
  value?: string;
  /**
   * How the map's key becomes labels, in the order of its bytes, without the `bucket` label. With no labels at
   * all, the entries of the map add up to one series.
   */
  labels: LabelSpec[];
}

export interface ScalarMetric extends MetricHead {
  type: 'counter' | 'gauge';
}

export interface HistogramMetric extends MetricHead {
  type: 'histogram';
  buckets: Buckets;
  /** The last part of the map's key, when the key tells the bucket; without it `value` is an array of u64. */
  bucketKey?: KeyPart;
}

const limits = {
  metrics: [1, 100],
  labels: [0, 16],
  helpLength: 1000,
} as const;

const prefix = 'bpf_';
/** Prefixes of the metrics that the sidecar and the webhook have about themselves. */
const ownPrefixes = ['bpf_sidecar_', 'bpf_webhook_'];
const metricShape = /^[a-zA-Z_][a-zA-Z0-9_]{0,199}$/;
const identifierShape = /^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/;

const headFields = ['name', 'help', 'map', 'value', 'labels'];

/**
 * Reads a metric spec from what YAML or JSON gave. `source` names it in messages, e.g. the file. Throws an
 * Error of one sentence: where the fault is, what is wrong and what is allowed.
 */
export function readMetricSpec(value: unknown, source: string): MetricSpec {
  const root = anyMapping(value, source);
  const extensions = Object.keys(root).filter((key) => key.startsWith('x-'));
  mapping(root, source, ['metrics', ...extensions]);

  const at = `${source}: metrics`;
  const sections = mapping(root.metrics, at, ['counters', 'gauges', 'histograms']);
  const read = (section: string, metric: (value: unknown, at: string) => Metric) =>
    sections[section] === undefined
      ? []
      : list(sections[section], `${at}.${section}`, limits.metrics, metric);
  const metrics = [
    ...read('counters', (value, place) => scalarMetric('counter', value, place)),
    ...read('gauges', (value, place) => scalarMetric('gauge', value, place)),
    ...read('histograms', histogramMetric),
  ];
  if (metrics.length === 0) fail(at, 'must have at least one metric in counters, gauges or histograms');
  refuseClashes(metrics, at);
  return { metrics };
}

function scalarMetric(type: ScalarMetric['type'], value: unknown, at: string): ScalarMetric {
  const fields = mapping(value, at, headFields);
  const labels = list(fields.labels, `${at}.labels`, limits.labels, parseLabel);
  refuseRepeatedLabels(labels, at);
  const bucket = labels.findIndex(({ name }) => name === 'bucket');
  if (bucket >= 0)
    fail(`${at}.labels[${bucket}].name`, '"bucket" is for histograms, choose another label name');
  return { type, ...head(fields, at), labels };
}

function histogramMetric(value: unknown, at: string): HistogramMetric {
  const fields = mapping(value, at, [...headFields, ...bucketFields]);
  const histogram = { type: 'histogram', ...head(fields, at), buckets: parseBuckets(fields, at) } as const;
  const labels = list(fields.labels, `${at}.labels`, limits.labels, parseLabel);
  refuseRepeatedLabels(labels, at);

  const index = labels.findIndex(({ name }) => name === 'bucket');
  if (histogram.value !== undefined) {
    if (index >= 0)
      fail(
        `${at}.labels[${index}]`,
        `the buckets are in value "${histogram.value}", so the label "bucket" must go`,
      );
    return { ...histogram, labels };
  }
  const bucket = labels.at(-1);
  if (bucket === undefined || index !== labels.length - 1)
    fail(
      `${at}.labels`,
      'the last label, and no other, must be called "bucket", because no "value" holds the buckets',
    );
  if (bucket.decoders.length !== 1 || bucket.decoders[0]?.name !== 'uint')
    fail(`${at}.labels[${index}].decoders`, 'the label "bucket" must have the decoder uint and no other');
  return {
    ...histogram,
    labels: labels.slice(0, -1),
    bucketKey: { size: bucket.size, padding: bucket.padding },
  };
}

function head(fields: Record<string, unknown>, at: string): Omit<MetricHead, 'labels'> {
  const given = shaped(
    fields.name,
    `${at}.name`,
    metricShape,
    'a metric name: up to 200 letters, digits and _, and no digit first',
  );
  const name = given.startsWith(prefix) ? given : prefix + given;
  const own = ownPrefixes.find((ownPrefix) => name.startsWith(ownPrefix));
  if (own !== undefined)
    fail(`${at}.name`, `names that begin with ${own} are kept for our own metrics, choose another`);
  const identifier = (field: string) =>
    shaped(fields[field], `${at}.${field}`, identifierShape, 'a C identifier of at most 128 characters');
  return {
    name,
    help: fields.help === undefined ? '' : text(fields.help, `${at}.help`, limits.helpLength),
    map: fields.map === undefined ? given : identifier('map'),
    ...(fields.value !== undefined && { value: identifier('value') }),
  };
}

function refuseRepeatedLabels(labels: LabelSpec[], at: string): void {
  const index = labels.findIndex(({ name }, i) => labels.findIndex((other) => other.name === name) < i);
  if (index >= 0) fail(`${at}.labels[${index}].name`, `"${labels[index]?.name}" is there twice`);
}

/** Two metrics must not write a sample of the same name, in either exposition format. */
function refuseClashes(metrics: Metric[], at: string): void {
  const owners = new Map<string, string>();
  for (const { type, name } of metrics)
    for (const sample of sampleNames(type, name)) {
      const owner = owners.get(sample);
      if (owner !== undefined)
        fail(at, `the names ${owner} and ${name} clash on ${sample}, give one of them another name`);
      owners.set(sample, name);
    }
}

function sampleNames(type: Metric['type'], name: string): string[] {
  if (type === 'histogram') return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`];
  if (type === 'counter' && name.endsWith('_total')) return [name, name.slice(0, -'_total'.length)];
  return [name];
}
