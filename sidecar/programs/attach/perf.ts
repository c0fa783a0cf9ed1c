import { attachPerfEvent, type Link } from '../../libbpf/link.ts';
import type { Program } from '../../libbpf/object.ts';
import { openPerfEvent, type PerfEvent } from '../../libbpf/perf-event.ts';

/** One that events of every process come to, whatever the CPU that it is opened on. */
export function attachToEvent(program: Program, event: PerfEvent): Link {
  return attachPerfEvent(program, openPerfEvent(event, { cpu: 0 }));
}
