import { subjectChoices } from '../../contract/metric-spec.ts';
import { tracepointArguments } from '../../libbpf/kernel-btf.ts';
import { attachRawTracepoint } from '../../libbpf/link.ts';
import { type Program, retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { tracepointSubject } from '../subject.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { sectionTarget } from './family.ts';

/**
 * `raw_tp/<tracepoint>` and `raw_tracepoint/<tracepoint>`: the tracepoint's arguments as they are. With `.w` the program
 * may write to what the tracepoint lets it: to such programs the kernel allows no tail calls, so that their subject must
 * be the node.
 */
export const rawTracepoint = behindDispatcher({
  accepts: ({ type }) => type === ProgramType.rawTracepoint || type === ProgramType.rawTracepointWritable,
  subjects: subjectChoices,
  dispatchers(program) {
    if (isWritable(program))
      throw new Error(
        `program ${program.name}: SEC("${program.section}") may write, and the kernel lets no dispatcher call such programs; write it without .w, or give it the subject node`,
      );
    const tracepoint = sectionTarget(program);
    const subject = tracepointSubject(program, tracepoint, () => tracepointArguments(tracepoint));
    return dispatchersOf(subject, 'untyped');
  },
  hook: (program) => `raw_tp/${sectionTarget(program)}`,
  verdict: 0,
  prepare: (dispatcher, program) => retarget(dispatcher, program.type, 0),
  link: (dispatcher, program) => attachRawTracepoint(dispatcher, sectionTarget(program)),
});

function isWritable({ type }: Program): boolean {
  return type === ProgramType.rawTracepointWritable;
}
