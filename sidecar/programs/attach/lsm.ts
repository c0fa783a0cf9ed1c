import { subjectChoices } from '../../contract/metric-spec.ts';
import { functionArguments } from '../../libbpf/kernel-btf.ts';
import { attachTrace } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { functionSubject } from '../subject.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { sectionTarget } from './family.ts';

/** `lsm/<hook>`: where the kernel asks its security modules. */
export const lsm = behindDispatcher({
  accepts: ({ type, expectedAttachType }) =>
    type === ProgramType.lsm && expectedAttachType === AttachType.lsmMac,
  subjects: subjectChoices,
  dispatchers(program) {
    const name = `bpf_lsm_${sectionTarget(program)}`;
    return dispatchersOf(functionSubject(program, name, functionArguments(name)));
  },
  hook: (program) => program.section,
  // No objection.
  verdict: 0,
  prepare: (dispatcher, program) =>
    retarget(dispatcher, ProgramType.lsm, AttachType.lsmMac, sectionTarget(program)),
  link: (dispatcher) => attachTrace(dispatcher),
});
