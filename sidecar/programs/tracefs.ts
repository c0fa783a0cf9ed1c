import { existsSync, readFileSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { errno } from '../libbpf/memory.ts';
import { libc } from '../libbpf/native.ts';

const places = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

/** The number by which perf_event_open(2) knows a tracepoint. Throws an Error that says what is missing. */
export function readTracepointId(program: string, category: string, name: string): number {
  const file = `${requireTracefs()}/events/${category}/${name}/id`;
  if (!existsSync(file))
    throw new Error(`program ${program}: this kernel has no tracepoint ${category}/${name}`);
  return Number(readFileSync(file, 'utf8'));
}

/** Mounts tracefs in this container when nobody has; gives where it is. */
function requireTracefs(): string {
  const mounted = places.find((place) => existsSync(`${place}/events`));
  if (mounted !== undefined) return mounted;
  if (libc.mount('tracefs', places[0]!, 'tracefs', 0, null) === 0) return places[0]!;
  throw new Error(
    `tracefs is not mounted and cannot be (${getSystemErrorName(-errno())}): tracepoint programs need it; use raw_tp or tp_btf`,
  );
}
