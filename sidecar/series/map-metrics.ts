import type { LabelSpec } from '../contract/label-spec.ts';
import type { Labelled, ScalarMetric } from '../contract/metric-spec.ts';
import { refuseOwnName } from '../contract/metric-spec.ts';
import type { Part } from '../libbpf/btf.ts';
import { type KeyType, labelsOfKey } from './btf-labels.ts';
import { wordSize } from './layout.ts';

/** As kube-bpf printed numbers. */
const keyDigits = 5;

/**
 * The metrics of a map that no spec describes, after kube-bpf: a counter `<probe>_<map>` with the label `key`, or
 * with labels from the key's struct; of a value that is a struct, a counter for each u64 in it. None where the
 * value holds no u64. Throws an Error of one sentence when the key cannot be made into labels.
 */
export function metricsOfMap(
  probe: string,
  map: { name: string; valueSize: number },
  key: KeyType,
  members: readonly Part[],
): Labelled<ScalarMetric>[] {
  const help = `Data coming from ${map.name} BPF map`;
  const base = identifier(`${probe}_${map.name}`);
  refuseOwnName(base, `probe ${probe}: map ${map.name}`);
  const labels = labelsOrKey(key).map((label) => ({
    ...label,
    decoders: label.name === 'key' && label.decoders[0]?.name === 'uint' ? [paddedNumber] : label.decoders,
  }));
  const words = members.filter(({ size, offset }) => size === wordSize && offset % wordSize === 0);
  if (words.length > 0 && map.valueSize % wordSize === 0)
    return words.map(({ name }) => ({
      type: 'counter',
      name: identifier(`${base}_${name}`),
      help,
      map: map.name,
      value: name,
      labels,
    }));
  return map.valueSize === wordSize ? [{ type: 'counter', name: base, help, map: map.name, labels }] : [];
}

/** A key whose BTF gives no labels is one label, as bytes. */
function labelsOrKey(key: KeyType): LabelSpec[] {
  try {
    return labelsOfKey(key);
  } catch {
    return labelsOfKey({ size: key.size, fields: () => [] });
  }
}

const paddedNumber = { name: 'uint', digits: keyDigits } as const;

function identifier(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=[0-9])/, '_');
}
