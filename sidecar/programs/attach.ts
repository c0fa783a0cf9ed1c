import type { Program } from '../libbpf/object.ts';
import type { PodCgroup } from '../pod/cgroups.ts';
import { cgroup } from './attach/cgroup.ts';
import type { AttachFamily, Attachment } from './attach/family.ts';
import { fentry } from './attach/fentry.ts';
import { networkIterator, taskIterator } from './attach/iterator.ts';
import { kprobe } from './attach/kprobe.ts';
import { kprobeMulti } from './attach/kprobe-multi.ts';
import { lsm } from './attach/lsm.ts';
import { lsmCgroup } from './attach/lsm-cgroup.ts';
import { perfEvent } from './attach/perf-event.ts';
import { rawTracepoint } from './attach/raw-tracepoint.ts';
import { socketFilter } from './attach/socket-filter.ts';
import { tc } from './attach/tc.ts';
import { tpBtf } from './attach/tp-btf.ts';
import { tracepoint } from './attach/tracepoint.ts';
import { uprobe } from './attach/uprobe.ts';
import { uprobeMulti } from './attach/uprobe-multi.ts';
import { usdt } from './attach/usdt.ts';
import { xdp } from './attach/xdp.ts';
import type { Hooks } from './hooks/hooks.ts';

const families: readonly AttachFamily[] = [
  ...[tpBtf, rawTracepoint, tracepoint, kprobe, kprobeMulti, fentry, lsm],
  ...[uprobe, uprobeMulti, usdt],
  ...[perfEvent, cgroup, lsmCgroup, taskIterator],
  ...[socketFilter, tc, xdp, networkIterator],
];

/** `lsm.s/…`, `uprobe.multi.s/…`: programs that may sleep. */
const sleepable = /^[a-z_.]+\.s\//;

/** Why a program, which is not loaded yet, can never be attached; undefined when it may be. */
export function refusalOf(program: Program): string | undefined {
  const { name, section } = program;
  if (sleepable.test(section))
    return `program ${name}: SEC("${section}") may sleep, and the kernel lets no dispatcher call such programs; write it without .s`;
  if (families.some((family) => family.accepts(program))) return undefined;
  return `program ${name}: SEC("${section}") is of a kind that cannot be attached; see "Kinds of programs" in the documentation of metric specs`;
}

/**
 * Attaches a loaded program so that it runs for the pod alone. Throws an Error that names the program and the
 * reason.
 */
export function attachProgram(program: Program, pod: PodCgroup, hooks: Hooks): Attachment {
  const family = families.find((candidate) => candidate.accepts(program));
  if (!family) throw new Error(refusalOf(program));
  const { name, section, subject } = program;
  const { subjects = [] } = family;
  if (subject !== undefined && !subjects.includes(subject))
    throw new Error(
      `program ${name}: the subject of SEC("${section}") cannot be ${subject}: ${subjects.length > 0 ? `it may be ${subjects.join(' or ')}` : 'there is no choice, take it out of the spec'}`,
    );
  return family.attach(program, pod, hooks);
}
