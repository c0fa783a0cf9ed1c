import { tracepointArguments } from '../../libbpf/kernel-btf.ts';
import { attachRawTracepoint } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { subjectOf } from '../subject.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { sectionTarget } from './family.ts';

/** `raw_tp/<tracepoint>` and `raw_tracepoint/<tracepoint>`: the tracepoint's arguments as they are. */
export const rawTracepoint = behindDispatcher({
  accepts: (program) => program.type === ProgramType.rawTracepoint,
  dispatchers(program) {
    const tracepoint = sectionTarget(program);
    const subject = subjectOf(tracepoint, () => tracepointArguments(tracepoint));
    return dispatchersOf(subject, true);
  },
  hook: (program) => `raw_tp-${sectionTarget(program)}`,
  verdict: 0,
  prepare: (dispatcher) => retarget(dispatcher, ProgramType.rawTracepoint, 0),
  link: (dispatcher, program) => attachRawTracepoint(dispatcher, sectionTarget(program)),
});
