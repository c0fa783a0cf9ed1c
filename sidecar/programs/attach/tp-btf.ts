import { tracepointArguments } from '../../libbpf/kernel-btf.ts';
import { attachTrace } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { subjectOf } from '../subject.ts';
import { sectionTarget } from './family.ts';

/** `tp_btf/<tracepoint>`: raw tracepoints with typed arguments. */
export const tpBtf = behindDispatcher({
  accepts: (program) =>
    program.type === ProgramType.tracing && program.expectedAttachType === AttachType.traceRawTp,
  dispatcher(program) {
    const hook = sectionTarget(program);
    const subject = subjectOf(hook, () => tracepointArguments(hook));
    switch (subject.kind) {
      case 'current':
        return { object: 'task', constants: {} };
      case 'task':
        return {
          object: 'task_argument',
          constants: { first_task: subject.first, second_task: subject.second },
        };
      case 'sock':
        return { object: 'sock_argument', constants: { sock: subject.sock, skb: subject.skb } };
    }
  },
  verdict: 0,
  prepare: (dispatcher, program) =>
    retarget(dispatcher, ProgramType.tracing, AttachType.traceRawTp, sectionTarget(program)),
  link: (dispatcher) => attachTrace(dispatcher),
});
