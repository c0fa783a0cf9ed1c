import type { SubjectChoice } from '../../contract/metric-spec.ts';
import type { Program } from '../../libbpf/object.ts';
import type { PodCgroup } from '../../pod/cgroups.ts';
import type { Hooks } from '../hooks/hooks.ts';

/** One way of attaching programs. */
export interface AttachFamily {
  accepts(program: Program): boolean;
  /** What a spec may choose as the subject of such a program; nothing where this is left out. */
  subjects?: readonly SubjectChoice[];
  /**
   * Attaches a loaded program so that it runs for the pod alone. Throws an Error that names the program and the
   * reason.
   */
  attach(program: Program, pod: PodCgroup, hooks: Hooks): Attachment;
}

/** A program at work. */
export interface Attachment {
  /** In what it is only approximately the pod's. */
  remark?: string;
  /** Descriptors of the programs that stand on its hooks, where these are not the program itself. */
  standIns?(): number[];
  /** Runs what runs at scrapes, before the maps are read. Throws an Error that says why it cannot. */
  refresh?(): void;
  /** Lets events that were attached disabled come, or come no more. */
  enable?(on: boolean): void;
  /** Brings it in line with the containers that there are now. Throws an Error that says why it cannot work. */
  follow?(): void;
  detach(): void;
}

/** The part of a section after its first slash: `sys_enter` of `tp_btf/sys_enter`. */
export function sectionTarget(program: Program): string {
  const target = program.section.slice(program.section.indexOf('/') + 1);
  if (target === '' || target === program.section)
    throw new Error(
      `program ${program.name}: section "${program.section}" names no hook; write SEC("kind/hook")`,
    );
  return target;
}
