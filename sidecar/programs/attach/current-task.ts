import { tracepointArguments } from '../../libbpf/kernel-btf.ts';
import type { Program } from '../../libbpf/object.ts';
import type { Dispatcher } from '../dispatch.ts';
import { subjectOf } from '../subject.ts';

/**
 * The dispatcher of hooks whose arguments have no types to the verifier: it knows the current task alone. Throws
 * an Error for a tracepoint whose events are about somebody else.
 */
export function currentTask(program: Program, tracepoint: string): Dispatcher {
  const subject = subjectOf(tracepoint, () => tracepointArguments(tracepoint));
  if (subject.kind !== 'current')
    throw new Error(
      `program ${program.name}: the events of tracepoint ${tracepoint} are about a ${subject.kind} among its arguments, not the current task; write SEC("tp_btf/${tracepoint}")`,
    );
  return { object: 'task', constants: {} };
}
