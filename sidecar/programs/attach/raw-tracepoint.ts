import { attachRawTracepoint } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { currentTask } from './current-task.ts';
import { type AttachFamily, sectionTarget } from './family.ts';

/** `raw_tp/<tracepoint>` and `raw_tracepoint/<tracepoint>`: the tracepoint's arguments as they are. */
export const rawTracepoint: AttachFamily = {
  accepts: (program) => program.type === ProgramType.rawTracepoint,
  dispatcher: (program) => currentTask(program, sectionTarget(program)),
  verdict: 0,
  prepare: (dispatcher) => retarget(dispatcher, ProgramType.rawTracepoint, 0),
  attach: (dispatcher, program) => attachRawTracepoint(dispatcher, sectionTarget(program)),
};
