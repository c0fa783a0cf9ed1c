import type { Labelled } from '../contract/metric-spec.ts';
import type { MapEntries } from '../maps/entries.ts';
import type { MapLayout } from './layout.ts';

/** Bytes that the CPU's number is given after a key. */
export const cpuSize = 2;

/**
 * Bytes of a key that come before the number of the CPU when the last label of a metric tells that, as in ebpf_exporter: it
 * is called `cpu` and has 2 bytes, which are not in the key of a per-CPU map. None of a map of one entry where it is the only
 * label. Undefined when no label tells the CPU.
 */
export function bytesBeforeCpu(
  { labels }: Labelled,
  { keySize, perCpu, single }: MapLayout,
): number | undefined {
  const last = labels.at(-1);
  if (!perCpu || last?.name !== 'cpu' || last.size !== cpuSize) return undefined;
  const covered = labels.reduce((bytes, { size, padding }) => bytes + size + padding, 0);
  return [keySize, ...(single ? [0] : [])].find((bytes) => covered === bytes + cpuSize);
}

/** An entry for each copy of a per-CPU value, with the number of its CPU after the first `keyBytes` of the key. */
export function splitCpus(entries: MapEntries, keyBytes: number): MapEntries {
  const { count, keys, values, keySize, valueSize, copies, departed = 0 } = entries;
  const size = keyBytes + cpuSize;
  const split = Buffer.alloc(count * copies * size);
  for (let entry = 0; entry < count; entry++)
    for (let cpu = 0; cpu < copies; cpu++) {
      const at = (entry * copies + cpu) * size;
      keys.copy(split, at, entry * keySize, entry * keySize + keyBytes);
      split.writeUInt16LE(cpu, at + keyBytes);
    }
  return {
    count: count * copies,
    keys: split,
    values,
    keySize: size,
    valueSize,
    copies: 1,
    departed: departed * copies,
  };
}
