import { BpfError } from './error.ts';
import { errno } from './memory.ts';
import { libc } from './native.ts';

/** System call numbers of perf_event_open(2). */
const callNumbers: Partial<Record<NodeJS.Architecture, number>> = { x64: 298, arm64: 241 };
const PERF_FLAG_FD_CLOEXEC = 8;
const PERF_EVENT_IOC_ENABLE = 0x2400;

/** struct perf_event_attr of <linux/perf_event.h>, as far as it is ours to set. */
export interface PerfEvent {
  type: number;
  config: number;
  /** PERF_SAMPLE_*. */
  sampleType?: number;
  /** Events per sample. */
  samplePeriod?: number;
  /** Samples that wake a reader up. */
  wakeupEvents?: number;
}

const attributeSize = 128;

/** Opens an event on a CPU for every process (pid -1). The caller closes the descriptor. Throws a BpfError. */
export function openPerfEvent(event: PerfEvent, cpu: number): number {
  const attribute = Buffer.alloc(attributeSize);
  attribute.writeUInt32LE(event.type, 0);
  attribute.writeUInt32LE(attributeSize, 4);
  attribute.writeBigUInt64LE(BigInt(event.config), 8);
  attribute.writeBigUInt64LE(BigInt(event.samplePeriod ?? 0), 16);
  attribute.writeBigUInt64LE(BigInt(event.sampleType ?? 0), 24);
  attribute.writeUInt32LE(event.wakeupEvents ?? 0, 48);
  const fd = libc.syscall(callNumbers[process.arch] ?? -1, attribute, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0) throw new BpfError(`perf_event_open on CPU ${cpu} failed`, errno(), '');
  return fd;
}

export function enablePerfEvent(fd: number): void {
  if (libc.ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
    throw new BpfError('a perf event cannot be enabled', errno(), '');
}
