import { existsSync, readFileSync } from 'node:fs';
import type { Program } from '../../libbpf/object.ts';

/** The bit of a probe's `config` that puts it on the return (/sys/bus/event_source/devices/uprobe/format/retprobe). */
export const RETURNS = 1;

/** The type by which perf_event_open(2) knows kprobes or uprobes. Throws an Error where the kernel has none. */
export function probeType(kind: 'kprobe' | 'uprobe', program: Program): number {
  const file = `/sys/bus/event_source/devices/${kind}/type`;
  if (!existsSync(file))
    throw new Error(
      `program ${program.name}: this kernel has no ${kind}s (CONFIG_${kind.toUpperCase()}_EVENTS)`,
    );
  return Number(readFileSync(file, 'utf8'));
}
