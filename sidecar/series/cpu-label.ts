import type { Labelled } from '../contract/metric-spec.ts';
import type { MapEntries } from '../maps/entries.ts';

/** Bytes that the CPU's number is given after a key. */
export const cpuSize = 2;

/**
 * Whether the last label of a metric tells the CPU, as in ebpf_exporter: it is called `cpu` and has 2 bytes, which
 * are not in the key of a per-CPU map.
 */
export function tellsCpu({ labels }: Labelled, keySize: number): boolean {
  const last = labels.at(-1);
  const covered = labels.reduce((bytes, { size, padding }) => bytes + size + padding, 0);
  return last?.name === 'cpu' && last.size === cpuSize && covered === keySize + cpuSize;
}

/** An entry for each copy of a per-CPU value, with the number of its CPU after the key. */
export function splitCpus(entries: MapEntries): MapEntries {
  const { count, keys, values, keySize, valueSize, copies, departed = 0 } = entries;
  const size = keySize + cpuSize;
  const split = Buffer.alloc(count * copies * size);
  for (let entry = 0; entry < count; entry++)
    for (let cpu = 0; cpu < copies; cpu++) {
      const at = (entry * copies + cpu) * size;
      keys.copy(split, at, entry * keySize, (entry + 1) * keySize);
      split.writeUInt16LE(cpu, at + keySize);
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
