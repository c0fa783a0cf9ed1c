import { subjectChoices } from '../../contract/metric-spec.ts';
import { functionArguments } from '../../libbpf/kernel-btf.ts';
import { attachTrace } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { functionSubject } from '../subject.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { sectionTarget } from './family.ts';

const attachTypes: readonly number[] = [AttachType.traceFentry, AttachType.traceFexit];

/** `fentry/<function>` and `fexit/<function>`: functions of the kernel with typed arguments. */
export const fentry = behindDispatcher({
  accepts: ({ type, expectedAttachType }) =>
    type === ProgramType.tracing && attachTypes.includes(expectedAttachType),
  subjects: subjectChoices,
  dispatchers(program) {
    const name = sectionTarget(program);
    return dispatchersOf(functionSubject(program, name, functionArguments(name)));
  },
  hook: (program) => program.section,
  verdict: 0,
  prepare: (dispatcher, program) =>
    retarget(dispatcher, ProgramType.tracing, program.expectedAttachType, sectionTarget(program)),
  link: (dispatcher) => attachTrace(dispatcher),
});
