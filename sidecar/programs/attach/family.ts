import type { Link } from '../../libbpf/link.ts';
import type { Program } from '../../libbpf/object.ts';

/**
 * One way of attaching programs. What is attached is always a dispatcher, which stands in for the program on
 * the program's own hook and calls it when the event is the pod's.
 */
export interface AttachFamily {
  accepts(program: Program): boolean;
  /** What stands in. Throws an Error that says why where an event of the hook cannot be given to a pod. */
  dispatcher(program: Program): Dispatcher;
  /** What the hook is told when the event is not for the program: that nothing is to change. */
  verdict: number;
  /** Makes the opened dispatcher fit for the program's hook, before it is loaded. */
  prepare(dispatcher: Program, program: Program): void;
  /** `pod` is the open directory of the pod cgroup. */
  attach(dispatcher: Program, program: Program, pod: number): Link;
}

/** An object of bpf/dispatchers, which decides the subject, and its constants. */
export interface Dispatcher {
  object: string;
  constants: Readonly<Record<string, number>>;
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
