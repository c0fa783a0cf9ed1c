import type { Program } from '../../libbpf/object.ts';
import { retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { findFunctions } from '../elf-functions.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { type AttachFamily, sectionTarget } from './family.ts';
import { attachToEvent } from './perf.ts';
import { attachToPodFiles, type PodFile } from './pod-files.ts';
import { probeType, RETURNS } from './probe-type.ts';

/** `uprobe/<file>:<function>[+offset]` and `uretprobe/…`: functions of the pod's own executables and libraries. */
export const uprobe: AttachFamily = {
  accepts: ({ type, section }) => type === ProgramType.kprobe && /^u(ret)?probe\//.test(section),
  subjects: ['current', 'node'],
  attach(program, pod, hooks) {
    const { file, name, offset } = placeOf(program);
    return attachToPodFiles(program, pod, file, (found) => {
      const place = { ...found, offset: functionIn(found, name) + offset };
      return atPlace(place).attach(program, pod, hooks);
    });
  },
};

function atPlace({ path, id, offset }: PodFile & { offset: bigint }): AttachFamily {
  return behindDispatcher({
    accepts: uprobe.accepts,
    dispatchers: () => dispatchersOf({ kind: 'current' }),
    hook: (program) => `${isReturn(program) ? 'uretprobe' : 'uprobe'}/${id}/${offset}`,
    // 0 would have the kernel drop the event for every other perf consumer of the node.
    verdict: 1,
    prepare: (dispatcher) => retarget(dispatcher, ProgramType.kprobe, 0),
    link: (dispatcher, program) =>
      attachToEvent(dispatcher, {
        type: probeType('uprobe', program),
        config: isReturn(program) ? RETURNS : 0,
        name: path,
        offset,
      }),
  });
}

function isReturn({ section }: Program): boolean {
  return section.startsWith('uret');
}

function placeOf(program: Program): { file: string; name: string; offset: bigint } {
  const target = sectionTarget(program);
  const [, file, name, offset] =
    /^([^:]+):([A-Za-z0-9_.@$]+)(?:\+(0x[0-9a-fA-F]+|[0-9]+))?$/.exec(target) ?? [];
  if (file === undefined || name === undefined)
    throw new Error(
      `program ${program.name}: section "${program.section}" must be ${isReturn(program) ? 'uretprobe' : 'uprobe'}/<file>:<function>`,
    );
  return { file, name, offset: BigInt(offset ?? 0) };
}

/** A function without a version, `malloc@GLIBC_2.2.5`, which the symbol tables do not have in the name. */
function functionIn({ path }: PodFile, name: string): bigint {
  const [plain] = name.split('@');
  const [offset] = findFunctions(path, (candidate) => candidate === plain);
  if (offset === undefined) throw new Error(`it has no function ${name}`);
  return offset;
}
