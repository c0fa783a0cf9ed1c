import { readFileSync } from 'node:fs';
import { attempt } from '../attempt.ts';
import { BpfError } from './error.ts';
import { libbpf } from './native.ts';

/** What a program has cost since it was loaded. */
export interface RunStatistics {
  runs: number;
  seconds: number;
}

/** struct bpf_prog_info, of which later kernels have more. */
const infoSize = 232;
const runTimeOffset = 192;
const runCountOffset = 200;

/** Whether the kernel counts and times the runs of programs (sysctl kernel.bpf_stats_enabled). */
export function areStatisticsOn(): boolean {
  return attempt(() => readFileSync('/proc/sys/kernel/bpf_stats_enabled', 'utf8').trim()) === '1';
}

/** Of a program's descriptor. A program that another one calls by a tail call is counted with that. */
export function readStatistics(program: number): RunStatistics {
  const info = Buffer.alloc(infoSize);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(info.length);
  const result = libbpf.bpf_obj_get_info_by_fd(program, info, length);
  if (result < 0) throw new BpfError('the statistics of a program cannot be read', -result, '');
  return {
    runs: Number(info.readBigUInt64LE(runCountOffset)),
    seconds: Number(info.readBigUInt64LE(runTimeOffset)) / 1e9,
  };
}
