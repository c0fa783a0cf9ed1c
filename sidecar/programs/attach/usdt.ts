import { attachUsdt } from '../../libbpf/link.ts';
import { actingAs, loadedAttachType, retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { type AttachFamily, sectionTarget } from './family.ts';
import { attachToPodFiles } from './pod-files.ts';

/** `usdt/<file>:<provider>:<name>`: the static probes of the pod's own executables and libraries. */
export const usdt: AttachFamily = {
  accepts: ({ type, section }) => type === ProgramType.kprobe && section.startsWith('usdt/'),
  attach(program, pod, hooks) {
    const [file, provider, name] = sectionTarget(program).split(':');
    if (!file || !provider || !name)
      throw new Error(
        `program ${program.name}: section "${program.section}" must be usdt/<file>:<provider>:<name>`,
      );
    return attachToPodFiles(program, pod, file, ({ path }) =>
      behindDispatcher({
        accepts: usdt.accepts,
        dispatchers: () => dispatchersOf({ kind: 'current' }),
        verdict: 1,
        prepare: (dispatcher) => retarget(dispatcher, ProgramType.kprobe, loadedAttachType(program)),
        // libbpf puts where the arguments are into maps of the program's own object.
        link: (dispatcher) => actingAs(dispatcher, program, () => attachUsdt(program, path, provider, name)),
      }).attach(program, pod, hooks),
    );
  },
};
