import { attachKprobeMulti } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { functionSubject } from '../subject.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { sectionTarget } from './family.ts';

/** `kprobe.multi/<pattern>` and `kretprobe.multi/<pattern>`; their functions have no argument in common. */
export const kprobeMulti = behindDispatcher({
  accepts: ({ type, section }) => type === ProgramType.kprobe && /^k(ret)?probe\.multi\//.test(section),
  subjects: ['current', 'node'],
  dispatchers: (program) => dispatchersOf(functionSubject(program, sectionTarget(program), undefined)),
  hook: (program) => program.section,
  verdict: 1,
  prepare: (dispatcher) => retarget(dispatcher, ProgramType.kprobe, AttachType.traceKprobeMulti),
  link: (dispatcher, program) =>
    attachKprobeMulti(dispatcher, sectionTarget(program), program.section.startsWith('kret')),
});
