import type { Program } from '../libbpf/object.ts';
import type { PodCgroup } from '../pod/cgroups.ts';
import { cgroup } from './attach/cgroup.ts';
import type { AttachFamily, Attachment } from './attach/family.ts';
import { rawTracepoint } from './attach/raw-tracepoint.ts';
import { socketFilter } from './attach/socket-filter.ts';
import { tpBtf } from './attach/tp-btf.ts';
import { tracepoint } from './attach/tracepoint.ts';
import type { Hooks } from './hooks/hooks.ts';

const families: readonly AttachFamily[] = [tpBtf, rawTracepoint, tracepoint, cgroup, socketFilter];

/**
 * Attaches a loaded program so that it runs for the pod alone. Throws an Error that names the program and the
 * reason.
 */
export function attachProgram(program: Program, pod: PodCgroup, hooks: Hooks): Attachment {
  const family = families.find((candidate) => candidate.accepts(program));
  if (!family)
    throw new Error(
      `program ${program.name}: SEC("${program.section}") is of a kind that cannot be attached yet`,
    );
  return family.attach(program, pod, hooks);
}
