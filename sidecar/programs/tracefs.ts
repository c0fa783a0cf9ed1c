import { existsSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { errno } from '../libbpf/memory.ts';
import { libc } from '../libbpf/native.ts';

/** libbpf looks for tracepoints here first (the file is there only when it is mounted). */
const places = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

/** Mounts tracefs in this container when nobody has; a tracepoint's number can only be read there. */
export function requireTracefs(): void {
  if (places.some((place) => existsSync(`${place}/events`))) return;
  if (libc.mount('tracefs', places[0]!, 'tracefs', 0, null) === 0) return;
  throw new Error(
    `tracefs is not mounted and cannot be (${getSystemErrorName(-errno())}): tracepoint programs need it; use raw_tp or tp_btf`,
  );
}
