import { attachTracepoint } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { requireTracefs } from '../tracefs.ts';
import { currentTask } from './current-task.ts';
import { sectionTarget } from './family.ts';

/** `tracepoint/<category>/<name>` and `tp/<category>/<name>`: through perf_event_open and tracefs. */
export const tracepoint = behindDispatcher({
  accepts: (program) => program.type === ProgramType.tracepoint,
  dispatcher: (program) => currentTask(program, sectionTarget(program).split('/').at(-1)!),
  // 0 would have the kernel drop the event for every other perf consumer of the node.
  verdict: 1,
  prepare: (dispatcher) => retarget(dispatcher, ProgramType.tracepoint, 0),
  link(dispatcher, program) {
    const [category, name] = sectionTarget(program).split('/');
    if (!category || !name)
      throw new Error(
        `program ${program.name}: section "${program.section}" must be tracepoint/<category>/<name>`,
      );
    requireTracefs();
    return attachTracepoint(dispatcher, category, name);
  },
});
