import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { addressOf, keepAlive } from './call.ts';
import { BpfError } from './error.ts';
import { errno } from './memory.ts';
import { libc } from './native.ts';

/** System call numbers of perf_event_open(2). */
const callNumbers: Partial<Record<NodeJS.Architecture, number>> = { x64: 298, arm64: 241 };
const PERF_FLAG_PID_CGROUP = 4;
const PERF_FLAG_FD_CLOEXEC = 8;
const PERF_EVENT_IOC_ENABLE = 0x2400;
const PERF_EVENT_IOC_DISABLE = 0x2401;
/** The bits of `flags` that keep the event from coming, and make `sample_period` a frequency. */
const DISABLED = 1;
const FREQ = 1 << 10;

/** struct perf_event_attr of <linux/perf_event.h>, as far as it is ours to set. */
export interface PerfEvent {
  type: number;
  config: number | bigint;
  /** PERF_SAMPLE_*. */
  sampleType?: number;
  /** Events per sample. */
  samplePeriod?: number;
  /** Samples per second, instead of a period. */
  frequency?: number;
  /** Whether it comes only from enablePerfEvent on. */
  disabled?: boolean;
  /** The function of a kprobe, the file of a uprobe. */
  name?: string;
  /** In bytes, from the beginning of a kprobe's function or a uprobe's file. */
  offset?: bigint;
}

/** What an event is limited to. */
export interface PerfScope {
  cpu: number;
  /** An open directory of a cgroup; without it every process is meant. */
  cgroup?: number;
}

const attributeSize = 128;

/** Opens an event on a CPU. The caller closes the descriptor. Throws a BpfError. */
export function openPerfEvent(event: PerfEvent, { cpu, cgroup }: PerfScope): number {
  const attribute = Buffer.alloc(attributeSize);
  attribute.writeUInt32LE(event.type, 0);
  attribute.writeUInt32LE(attributeSize, 4);
  attribute.writeBigUInt64LE(BigInt(event.config), 8);
  attribute.writeBigUInt64LE(BigInt(event.frequency ?? event.samplePeriod ?? 0), 16);
  attribute.writeBigUInt64LE(BigInt(event.sampleType ?? 0), 24);
  const bits = (event.disabled ? DISABLED : 0) | (event.frequency === undefined ? 0 : FREQ);
  attribute.writeUInt32LE(bits, 40);
  const name = Buffer.from(`${event.name ?? ''}\0`);
  keepAlive(name);
  if (event.name !== undefined) attribute.writeBigUInt64LE(BigInt(addressOf(name)), 56);
  attribute.writeBigUInt64LE(event.offset ?? 0n, 64);
  const flags = PERF_FLAG_FD_CLOEXEC | (cgroup === undefined ? 0 : PERF_FLAG_PID_CGROUP);
  const fd = libc.syscall(callNumbers[process.arch] ?? -1, attribute, cgroup ?? -1, cpu, -1, flags);
  if (fd >= 0) return fd;
  const error = errno();
  throw new BpfError(
    `perf_event_open${describe(event, cpu)} failed`,
    error,
    '',
    undefined,
    error === constants.errno.EACCES ? remedyFor(readParanoia()) : undefined,
  );
}

/**
 * What to do when perf_event_open(2) gives EACCES. The kernel itself knows `kernel.perf_event_paranoid` up to 2, which
 * CAP_PERFMON overrides; Debian, Ubuntu and others have patched in higher ones, which for many of their kernels only
 * CAP_SYS_ADMIN does.
 */
export function remedyFor(paranoia: number): string {
  if (paranoia <= 2)
    return ' (not permitted: the container must be privileged, or have CAP_PERFMON, and for uprobes CAP_SYS_ADMIN)';
  return ` (not permitted: kernel.perf_event_paranoid is ${paranoia}, above 2, where kernels of some distributions ask for CAP_SYS_ADMIN; write SEC("raw_tp/…") or SEC("tp_btf/…"), which open no perf event, or run the sidecar privileged, or set it to 2)`;
}

function readParanoia(): number {
  return Number(readFileSync('/proc/sys/kernel/perf_event_paranoid', 'utf8'));
}

function describe({ name }: PerfEvent, cpu: number): string {
  return name === undefined ? ` on CPU ${cpu}` : ` of ${name}`;
}

export function enablePerfEvent(fd: number): void {
  if (libc.ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
    throw new BpfError('a perf event cannot be enabled', errno(), '');
}

/** When it returns, no program of the event runs any more, and none begins to. */
export function disablePerfEvent(fd: number): void {
  if (libc.ioctl(fd, PERF_EVENT_IOC_DISABLE, 0) < 0)
    throw new BpfError('a perf event cannot be disabled', errno(), '');
}
