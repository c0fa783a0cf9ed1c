import { type Buckets, bucketFields, parseBuckets, parseMultiplier } from './bucket-spec.ts';
import { anyMapping, boolean, duration, fail, list, mapping, oneOf, shaped, text } from './checks.ts';
import {
  type KeyPart,
  type LabelSpec,
  labelLimits,
  parseIdentifier,
  parseLabel,
  parseRegexps,
} from './label-spec.ts';
import { refuseClashes } from './metric-names.ts';

/**
 * The metric spec: how the maps of an object become metrics. The format is a superset of the configuration
 * of cloudflare/ebpf_exporter v2. Ours are the types other than counter and histogram, `map` and `value` of
 * every metric, exemplars, labels from the map's BTF, and `prefix`. Top-level keys that begin with `x-` are
 * ignored, so that YAML anchors have a place to live.
 */
export interface MetricSpec {
  metrics: Metric[];
  /** Kernel symbols whose addresses the program finds in its constants `kaddr_<symbol>`. */
  kernelAddresses: string[];
  cgroupIdMap?: CgroupIdMap;
  /** What is to be known of programs that their sections do not tell, by name. */
  subjects: Readonly<Record<string, SubjectChoice>>;
  /** What of the spec has no effect, in one sentence. */
  remark?: string;
}

/**
 * Whom the events of a program are about: the current task, an argument of the hook, or, without a look at pods, anybody on
 * the node.
 */
export type SubjectChoice = (typeof subjectChoices)[number];
export const subjectChoices = ['current', 'arg0', 'arg1', 'arg2', 'arg3', 'node'] as const;

/** A map that the program looks into for the cgroups it is to count. */
export interface CgroupIdMap {
  /** Name of the BPF map. */
  map: string;
  /** A hash by cgroup id, or cgroup storage; its values are u64. */
  type: 'hash' | 'cgrp_storage';
  /** Which container cgroups to put in, by their path or the container's name. */
  regexps: string[];
}

export type Metric = ScalarMetric | InfoMetric | StateSetMetric | SummaryMetric | HistogramMetric;

interface MetricHead {
  /** Full name as exposed, with the prefix. */
  name: string;
  /** May be empty. */
  help: string;
  /** Name of the BPF map. */
  map: string;
  /** The member of the map's value struct to read; without it the whole value is one u64. */
  value?: string;
  /**
   * How the map's key becomes labels, in the order of its bytes, without the `bucket` label. When the list is
   * empty, the entries of the map add up to one series; without a list, the key's BTF tells the labels.
   */
  labels?: LabelSpec[];
}

/** A metric whose labels are known, from the spec or from BTF. */
export type Labelled<M extends Metric = Metric> = M & { labels: LabelSpec[] };

/** Of metrics whose map may hold events, which are then counted by what they are. */
interface EventOptions {
  /** Whether the map has to hold events: it is a perf event array or a ring buffer. */
  fromEvents?: boolean;
  /** Milliseconds without a further event of its kind after which a series goes. */
  forgetAfter?: number;
}

export interface ScalarMetric extends MetricHead, EventOptions {
  type: 'counter' | 'gauge' | 'unknown';
  /** What the number is multiplied with to come to the unit of the metric; 1 when left out. */
  multiplier?: number;
  /**
   * The file of each container cgroup that holds the number, instead of a map: `cpu.stat`. Then `value` is its name in
   * there, and the label `container` the only one.
   */
  cgroupFile?: string;
}

/** A series for each key of the map, whatever its value; the name ends with `_info`. */
export interface InfoMetric extends MetricHead {
  type: 'info';
}

/** The value is a u64 in which bit i says whether state i is on. */
export interface StateSetMetric extends MetricHead {
  type: 'stateset';
  states: string[];
}

/** The value is two u64: the number of observed values, and their sum before the multiplier. */
export interface SummaryMetric extends MetricHead {
  type: 'summary';
  multiplier: number;
}

export interface HistogramMetric extends MetricHead, EventOptions {
  /** The events of a `gaugehistogram` can become fewer: it tells what is, not what has been. */
  type: 'histogram' | 'gaugehistogram';
  buckets: Buckets;
  /** The last part of the map's key, when the key tells the bucket; without it `value` is an array of u64. */
  bucketKey?: KeyPart;
  /** Name of the BPF map with the last events of the buckets. */
  exemplars?: string;
}

export const specLimits = {
  bytes: 256 * 1024,
  metrics: [1, 100],
  labels: [0, 16],
  helpLength: 1000,
  states: [1, 32],
  stateLength: 128,
  kernelAddresses: [0, 64],
  programs: [0, 64],
  /** Of all labels together: it may take 50 ms to compile one. */
  regexps: 64,
} as const;

const defaultPrefix = 'bpf_';
/** Prefixes of the metrics that the sidecar and the webhook have about themselves. */
const ownPrefixes = ['bpf_sidecar_', 'bpf_webhook_'];
export const prefixShape = /^([a-zA-Z_][a-zA-Z0-9_]{0,63})?$/;
export const metricShape = /^[a-zA-Z_][a-zA-Z0-9_]{0,199}$/;
/** `.bss` and `.data` are the global variables of the program, `.data.<name>` those that it has in such a section. */
export const mapShape = /^([a-zA-Z_][a-zA-Z0-9_]{0,127}|\.(bss|data)(\.[a-zA-Z0-9_.]{1,64})?)$/;
/** A file of a cgroup, and a number in it; see numberIn of maps/cgroup-files.ts. */
export const cgroupFileShape = /^(?=.{1,64}$)[a-z0-9_]+(\.[a-z0-9_]+)+$/;
export const cgroupValueShape = /^(?=.{1,64}$)[a-z0-9_]+(\.[a-z0-9_]+)?$/;
/** As C identifiers, but the kernel and its compiler add parts such as `.isra.0` and `__pfx_`. */
export const symbolShape = /^[a-zA-Z_][a-zA-Z0-9_.]{0,127}$/;

const topFields = ['prefix', 'metrics', 'kaddrs', 'cgroup_id_map', 'programs', 'tracing'];
export const cgroupIdMapTypes = ['hash', 'cgrp_storage'] as const;
const headFields = ['name', 'help', 'map', 'value', 'labels'];
const cgroupFileFields = ['name', 'help', 'cgroup_file', 'value', 'multiplier'];
const eventFields = ['perf_event_array', 'flush_interval'];

/** `prefix` is put before the metric's name. */
type Section = (value: unknown, at: string, prefix: string) => Metric;

const sections: Record<string, Section> = {
  counters: scalarSection('counter'),
  gauges: scalarSection('gauge'),
  histograms: histogramSection('histogram'),
  gauge_histograms: histogramSection('gaugehistogram'),
  summaries: summaryMetric,
  state_sets: stateSetMetric,
  info: infoMetric,
  unknown: scalarSection('unknown'),
};

/**
 * Reads a metric spec from what YAML or JSON gave. `source` names it in messages, e.g. the file. Throws an
 * Error of one sentence: where the fault is, what is wrong and what is allowed.
 */
export function readMetricSpec(value: unknown, source: string): MetricSpec {
  const root = anyMapping(value, source);
  const extensions = Object.keys(root).filter((key) => key.startsWith('x-'));
  mapping(root, source, [...topFields, ...extensions]);
  const prefix =
    root.prefix === undefined
      ? defaultPrefix
      : shaped(
          root.prefix,
          `${source}: prefix`,
          prefixShape,
          'empty or up to 64 letters, digits and _, and no digit first',
        );

  const at = `${source}: metrics`;
  if (root.metrics === undefined && root.tracing !== undefined)
    fail(at, 'must be given, because the spans of "tracing" are not made');
  const names = Object.keys(sections);
  const given = mapping(root.metrics, at, names);
  refuseManyRegexps(given, at);
  const metrics = Object.entries(sections).flatMap(([name, metric]) =>
    given[name] === undefined
      ? []
      : list(given[name], `${at}.${name}`, specLimits.metrics, (item, place) => metric(item, place, prefix)),
  );
  if (metrics.length === 0) fail(at, `must have at least one metric in one of ${names.join(', ')}`);
  refuseClashes(metrics, at);
  return {
    metrics,
    kernelAddresses: kernelAddresses(root.kaddrs, `${source}: kaddrs`),
    ...(root.cgroup_id_map !== undefined && {
      cgroupIdMap: cgroupIdMap(root.cgroup_id_map, `${source}: cgroup_id_map`),
    }),
    subjects: programSubjects(root.programs, `${source}: programs`),
    ...(root.tracing !== undefined && { remark: 'the spans of "tracing" in its metric spec are not made' }),
  };
}

/** Before the first is compiled, so it looks at values that are not checked yet. */
function refuseManyRegexps(given: Record<string, unknown>, at: string): void {
  const inside = (values: unknown[], field: string, most: number) =>
    values.flatMap((value) => {
      const items = (value as Record<string, unknown> | null | undefined)?.[field];
      return Array.isArray(items) ? items.slice(0, most) : [];
    });
  const metrics = Object.keys(given).flatMap((section) => inside([given], section, specLimits.metrics[1]));
  const labels = inside(metrics, 'labels', specLimits.labels[1]);
  const decoders = inside(labels, 'decoders', labelLimits.decoders[1]);
  const { length } = inside(decoders, 'regexps', labelLimits.regexps[1]);
  if (length > specLimits.regexps)
    fail(at, `has ${length} regular expressions in its labels; ${specLimits.regexps} is the most`);
}

function kernelAddresses(value: unknown, at: string): string[] {
  const symbols = list(value === undefined ? [] : value, at, specLimits.kernelAddresses, (symbol, place) =>
    shaped(symbol, place, symbolShape, 'the name of a kernel symbol'),
  );
  refuseRepeated(symbols, (index) => `${at}[${index}]`);
  return symbols;
}

function programSubjects(value: unknown, at: string): Record<string, SubjectChoice> {
  const programs = list(value === undefined ? [] : value, at, specLimits.programs, (item, place) => {
    const fields = mapping(item, place, ['name', 'subject']);
    const name = parseIdentifier(fields.name, `${place}.name`);
    return [name, oneOf(fields.subject, `${place}.subject`, subjectChoices)] as const;
  });
  refuseRepeated(
    programs.map(([name]) => name),
    (index) => `${at}[${index}].name`,
  );
  return Object.fromEntries(programs);
}

function cgroupIdMap(value: unknown, at: string): CgroupIdMap {
  const fields = mapping(value, at, ['name', 'type', 'regexps']);
  return {
    map: parseIdentifier(fields.name, `${at}.name`),
    type: fields.type === undefined ? 'hash' : oneOf(fields.type, `${at}.type`, cgroupIdMapTypes),
    regexps: parseRegexps(fields.regexps, `${at}.regexps`),
  };
}

function scalarSection(type: ScalarMetric['type']): Section {
  return (value, at, prefix) => {
    if (anyMapping(value, at).cgroup_file !== undefined) return cgroupFileMetric(type, value, at, prefix);
    const known = [...headFields, 'cgroup_file', 'multiplier', ...(type === 'counter' ? eventFields : [])];
    const fields = mapping(value, at, known);
    return {
      type,
      ...head(fields, at, prefix),
      ...scaled(fields, at),
      ...eventOptions(fields, at),
      ...plainLabels(fields, at),
    };
  };
}

function cgroupFileMetric(
  type: ScalarMetric['type'],
  value: unknown,
  at: string,
  prefix: string,
): ScalarMetric {
  const { value: member, ...fields } = mapping(value, at, cgroupFileFields);
  const file = shaped(
    fields.cgroup_file,
    `${at}.cgroup_file`,
    cgroupFileShape,
    'a file of a cgroup: cpu.stat',
  );
  return {
    type,
    ...head(fields, at, prefix),
    ...scaled(fields, at),
    map: file,
    cgroupFile: file,
    ...(member !== undefined && {
      value: shaped(
        member,
        `${at}.value`,
        cgroupValueShape,
        'the name of a number in the file: nr_throttled, some.total',
      ),
    }),
    labels: [{ name: 'container', size: 8, padding: 0, decoders: [{ name: 'cgroup' }] }],
  };
}

function scaled(fields: Record<string, unknown>, at: string): Pick<ScalarMetric, 'multiplier'> {
  if (fields.multiplier === undefined) return {};
  return { multiplier: parseMultiplier(fields.multiplier, `${at}.multiplier`) };
}

function infoMetric(value: unknown, at: string, prefix: string): InfoMetric {
  const fields = mapping(value, at, ['name', 'help', 'map', 'labels']);
  const info = { type: 'info', ...head(fields, at, prefix), ...plainLabels(fields, at) } as const;
  if (!info.name.endsWith('_info')) fail(`${at}.name`, 'must end with _info, as the series of an info do');
  return info;
}

function stateSetMetric(value: unknown, at: string, prefix: string): StateSetMetric {
  const fields = mapping(value, at, [...headFields, 'states']);
  const states = list(fields.states, `${at}.states`, specLimits.states, (state, place) =>
    text(state, place, specLimits.stateLength),
  );
  refuseRepeated(states, (index) => `${at}.states[${index}]`);
  const stateSet = {
    type: 'stateset',
    ...head(fields, at, prefix),
    states,
    ...plainLabels(fields, at),
  } as const;
  const own = stateSet.labels?.findIndex(({ name }) => name === stateSet.name) ?? -1;
  if (own >= 0)
    fail(
      `${at}.labels[${own}].name`,
      'the label with the name of the metric tells the state, choose another',
    );
  return stateSet;
}

function summaryMetric(value: unknown, at: string, prefix: string): SummaryMetric {
  const fields = mapping(value, at, [...headFields, 'sum_multiplier']);
  return {
    type: 'summary',
    ...head(fields, at, prefix),
    multiplier: parseMultiplier(fields.sum_multiplier, `${at}.sum_multiplier`),
    ...plainLabels(fields, at),
  };
}

function histogramSection(type: HistogramMetric['type']): Section {
  return (value, at, prefix) => {
    const fields = mapping(value, at, [
      ...headFields,
      ...bucketFields,
      ...eventFields,
      ...(type === 'histogram' ? ['exemplars'] : []),
    ]);
    const histogram = {
      type,
      ...head(fields, at, prefix),
      ...eventOptions(fields, at),
      buckets: parseBuckets(fields, at),
      ...(fields.exemplars !== undefined && {
        exemplars: parseIdentifier(fields.exemplars, `${at}.exemplars`),
      }),
    };
    return { ...histogram, ...bucketLabels(histogram.value, fields, at) };
  };
}

/** The labels of a histogram, of which the last is the bucket when no `value` holds the buckets. */
function bucketLabels(
  value: string | undefined,
  fields: Record<string, unknown>,
  at: string,
): Pick<HistogramMetric, 'labels' | 'bucketKey'> {
  const labels = parseLabels(fields, at);
  if (labels === undefined) return {};
  const named = labels.findIndex(({ name }) => name === 'bucket');
  if (value !== undefined) {
    if (named >= 0)
      fail(`${at}.labels[${named}]`, `the buckets are in value "${value}", so the label "bucket" must go`);
    return { labels };
  }
  const index = labels.length - 1;
  const bucket = labels[index];
  if (bucket === undefined || (named >= 0 && named < index))
    fail(
      `${at}.labels`,
      'the last label, and no other, must be the bucket, because no "value" holds the buckets',
    );
  if (bucket.decoders.length !== 1 || bucket.decoders[0]?.name !== 'uint')
    fail(
      `${at}.labels[${index}].decoders`,
      'the last label is the bucket, because no "value" holds the buckets, and must have the decoder uint and no other',
    );
  return { labels: labels.slice(0, -1), bucketKey: { size: bucket.size, padding: bucket.padding } };
}

function eventOptions(fields: Record<string, unknown>, at: string): EventOptions {
  const { perf_event_array: fromEvents, flush_interval: interval } = fields;
  return {
    ...(fromEvents !== undefined && { fromEvents: boolean(fromEvents, `${at}.perf_event_array`) }),
    ...(interval !== undefined && { forgetAfter: duration(interval, `${at}.flush_interval`) }),
  };
}

function plainLabels(fields: Record<string, unknown>, at: string): { labels?: LabelSpec[] } {
  const labels = parseLabels(fields, at);
  if (labels === undefined) return {};
  const bucket = labels.findIndex(({ name }) => name === 'bucket');
  if (bucket >= 0)
    fail(`${at}.labels[${bucket}].name`, '"bucket" is for histograms, choose another label name');
  return { labels };
}

/** Undefined when the BTF of the map's key is to tell them. */
function parseLabels(fields: Record<string, unknown>, at: string): LabelSpec[] | undefined {
  if (fields.labels === undefined) return undefined;
  const labels = list(fields.labels, `${at}.labels`, specLimits.labels, parseLabel);
  refuseRepeated(
    labels.map(({ name }) => name),
    (index) => `${at}.labels[${index}].name`,
  );
  return labels;
}

function refuseRepeated(names: string[], place: (index: number) => string): void {
  const index = names.findIndex((name, i) => names.indexOf(name) < i);
  if (index >= 0) fail(place(index), `"${names[index]}" is there twice`);
}

function head(fields: Record<string, unknown>, at: string, prefix: string): Omit<MetricHead, 'labels'> {
  const given = shaped(
    fields.name,
    `${at}.name`,
    metricShape,
    'a metric name: up to 200 letters, digits and _, and no digit first',
  );
  const name = given.startsWith(prefix) ? given : prefix + given;
  refuseOwnName(name, `${at}.name`);
  return {
    name,
    help: fields.help === undefined ? '' : text(fields.help, `${at}.help`, specLimits.helpLength),
    map:
      fields.map === undefined
        ? given
        : shaped(
            fields.map,
            `${at}.map`,
            mapShape,
            'a C identifier of at most 128 characters, or .bss or .data, with or without .<name> after it',
          ),
    ...(fields.value !== undefined && { value: parseIdentifier(fields.value, `${at}.value`) }),
  };
}

/** Refuses a name that the metrics of the sidecar or the webhook about themselves may have. */
export function refuseOwnName(name: string, at: string): void {
  const own = ownPrefixes.find((ownPrefix) => name.startsWith(ownPrefix));
  if (own !== undefined)
    fail(at, `names that begin with ${own} are kept for our own metrics, choose another`);
}
