import { readFileSync } from 'node:fs';

/** What the kernel tells of the memory of a process; see proc_pid_smaps(5). */
export function readMemory(pid: number): string {
  return readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
}

/** A number of it, such as `Rss`. */
export function mebibytesOf(memory: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(memory)![1]) / 1024;
}
