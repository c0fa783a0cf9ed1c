import { subjectChoices } from '../../contract/metric-spec.ts';
import { tracepointArguments } from '../../libbpf/kernel-btf.ts';
import { attachTrace } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { tracepointSubject } from '../subject.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { sectionTarget } from './family.ts';

/** `tp_btf/<tracepoint>`: raw tracepoints with typed arguments. */
export const tpBtf = behindDispatcher({
  accepts: (program) =>
    program.type === ProgramType.tracing && program.expectedAttachType === AttachType.traceRawTp,
  subjects: subjectChoices,
  dispatchers(program) {
    const tracepoint = sectionTarget(program);
    return dispatchersOf(tracepointSubject(program, tracepoint, () => tracepointArguments(tracepoint)));
  },
  hook: (program) => `tp_btf/${sectionTarget(program)}`,
  verdict: 0,
  prepare: (dispatcher, program) =>
    retarget(dispatcher, ProgramType.tracing, AttachType.traceRawTp, sectionTarget(program)),
  link: (dispatcher) => attachTrace(dispatcher),
});
