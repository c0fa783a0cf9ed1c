import {
  type DecoderSpec,
  decoderSizes,
  exportedName,
  isReservedLabel,
  type LabelSpec,
  labelLimits,
  labelNameShape,
} from '../contract/label-spec.ts';
import { type Labelled, type Metric, specLimits } from '../contract/metric-spec.ts';
import type { Field } from '../libbpf/btf.ts';

/** What is known of a map's key: its bytes, and its parts where the object has BTF for it. */
export interface KeyType {
  size: number;
  /** In the order of their offsets; empty without BTF. May throw. */
  fields(): readonly Field[];
  /** Whether the map is an array of one entry, whose key says nothing. */
  single?: boolean | undefined;
}

/** The label of a key that is no struct. */
const keyLabel = 'key';

/**
 * The metric with the labels that its spec gives or, when it gives none, with a label for each member of the
 * key's struct; none for an array of one entry, as in ebpf_exporter. Throws an Error of one sentence when the key cannot be made into labels.
 */
export function withLabels(metric: Metric, key: KeyType): Labelled {
  if (metric.labels !== undefined) return metric as Labelled;
  try {
    const labels = key.single ? [] : labelsOfKey(key);
    if (!('buckets' in metric) || metric.value !== undefined) return { ...metric, labels };
    const bucket = labels.at(-1);
    if (bucket?.name !== 'bucket' || bucket.decoders[0]?.name !== 'uint')
      throw new Error(
        'no "value" holds the buckets, so the last member of the key must be an unsigned number called "bucket"',
      );
    return {
      ...metric,
      labels: labels.slice(0, -1),
      bucketKey: { size: bucket.size, padding: bucket.padding },
    };
  } catch (error) {
    throw new Error(
      `metric ${metric.name}: the key of map "${metric.map}" does not tell the labels: ${(error as Error).message}; give the metric "labels"`,
    );
  }
}

/** A label for each part of a key, by its BTF; one label `key` where there is none. Throws an Error. */
export function labelsOfKey({ size, fields }: KeyType): LabelSpec[] {
  const known = fields();
  const parts = known.length > 0 ? known : [unknownKey(size)];
  if (parts.length > specLimits.labels[1])
    throw new Error(`it has ${parts.length} members, and a series at most ${specLimits.labels[1]} labels`);
  const labels = parts.map((field, index): LabelSpec => {
    const padding = (parts[index + 1]?.offset ?? size) - field.offset - field.size;
    if (padding < 0 || (index === 0 && field.offset !== 0) || field.size > labelLimits.size)
      throw new Error(`its member "${field.name}" cannot be a label`);
    return { name: labelName(field.name), size: field.size, padding, decoders: decodersOf(field) };
  });
  const repeated = labels.find(({ name }, index) => labels.findIndex((label) => label.name === name) < index);
  if (repeated !== undefined) throw new Error(`two of its members would be the label "${repeated.name}"`);
  return labels;
}

function unknownKey(size: number): Field {
  const isNumber = decoderSizes.uint?.includes(size) ?? false;
  return { name: '', offset: 0, size, kind: isNumber ? 'unsigned' : 'bytes' };
}

function labelName(name: string): string {
  if (name === '') return keyLabel;
  return isReservedLabel(name) || !labelNameShape.test(name)
    ? `${keyLabel}_${name.replace(/^_+/, '')}`
    : exportedName(name);
}

/** Names of members that hold what container.bpf.h gives: the id of a container's cgroup. */
const containerNames = ['cgroup', 'container'];

function decodersOf({ name, size, kind, names }: Field): DecoderSpec[] {
  if (kind === 'text') return [{ name: 'string' }];
  if (kind === 'endpoint') return [{ name: 'endpoint' }];
  if (kind === 'bytes') return [{ name: 'hex' }];
  const number: DecoderSpec = { name: kind === 'signed' ? 'int' : 'uint' };
  if (names !== undefined) return [number, { name: 'static_map', staticMap: names, allowUnknown: true }];
  if (size === 8 && containerNames.includes(name)) return [{ name: 'cgroup' }];
  return [number];
}
