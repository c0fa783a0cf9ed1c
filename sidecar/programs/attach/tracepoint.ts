import { tracepointArguments } from '../../libbpf/kernel-btf.ts';
import { retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { tracepointSubject } from '../subject.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { readTracepointId } from '../tracefs.ts';
import { sectionTarget } from './family.ts';
import { attachToEvent } from './perf.ts';

/** <linux/perf_event.h> */
const PERF_TYPE_TRACEPOINT = 2;

/** `tracepoint/<category>/<name>` and `tp/<category>/<name>`: through perf_event_open and tracefs. */
export const tracepoint = behindDispatcher({
  accepts: (program) => program.type === ProgramType.tracepoint,
  subjects: ['current', 'node'],
  dispatchers(program) {
    const name = sectionTarget(program).split('/').at(-1)!;
    const subject = tracepointSubject(program, name, () => tracepointArguments(name));
    if (subject.kind !== 'current')
      throw new Error(
        `program ${program.name}: the events of tracepoint ${name} are about a ${subject.kind} that only its raw arguments tell, not the current task; write SEC("tp_btf/${name}")`,
      );
    return dispatchersOf(subject);
  },
  hook: (program) => `tracepoint/${sectionTarget(program)}`,
  // 0 would have the kernel drop the event for every other perf consumer of the node.
  verdict: 1,
  prepare: (dispatcher) => retarget(dispatcher, ProgramType.tracepoint, 0),
  link(dispatcher, program) {
    const [category, name] = sectionTarget(program).split('/');
    if (!category || !name)
      throw new Error(
        `program ${program.name}: section "${program.section}" must be tracepoint/<category>/<name>`,
      );
    const config = readTracepointId(program.name, category, name);
    return attachToEvent(dispatcher, { type: PERF_TYPE_TRACEPOINT, config });
  },
});
