import { attachTrace } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import { type AttachFamily, sectionTarget } from './family.ts';

/** `tp_btf/<tracepoint>`: raw tracepoints with typed arguments. */
export const tpBtf: AttachFamily = {
  accepts: (program) =>
    program.type === ProgramType.tracing && program.expectedAttachType === AttachType.traceRawTp,
  dispatcher: () => 'task',
  verdict: 0,
  prepare: (dispatcher, program) =>
    retarget(dispatcher, ProgramType.tracing, AttachType.traceRawTp, sectionTarget(program)),
  attach: (dispatcher) => attachTrace(dispatcher),
};
