import { tracepointArguments } from '../../libbpf/kernel-btf.ts';
import { attachRawTracepoint } from '../../libbpf/link.ts';
import { type Program, retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { chosenSubject, subjectOf } from '../subject.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { sectionTarget } from './family.ts';

/**
 * `raw_tp/<tracepoint>` and `raw_tracepoint/<tracepoint>`: the tracepoint's arguments as they are. With `.w` the program
 * may write to what the tracepoint lets it.
 */
export const rawTracepoint = behindDispatcher({
  accepts: ({ type }) => type === ProgramType.rawTracepoint || type === ProgramType.rawTracepointWritable,
  dispatchers(program) {
    const tracepoint = sectionTarget(program);
    const structs = () => tracepointArguments(tracepoint);
    const subject = chosenSubject(program.subject, structs) ?? subjectOf(tracepoint, structs);
    return dispatchersOf(subject, 'untyped');
  },
  hook: (program) => `raw_tp${isWritable(program) ? '.w' : ''}/${sectionTarget(program)}`,
  verdict: 0,
  prepare: (dispatcher, program) => retarget(dispatcher, program.type, 0),
  link: (dispatcher, program) => attachRawTracepoint(dispatcher, sectionTarget(program)),
});

function isWritable({ type }: Program): boolean {
  return type === ProgramType.rawTracepointWritable;
}
