import { attachUprobeMulti } from '../../libbpf/link.ts';
import { retarget } from '../../libbpf/object.ts';
import { AttachType, ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { findFunctions } from '../elf-functions.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { type AttachFamily, sectionTarget } from './family.ts';
import { attachToPodFiles } from './pod-files.ts';

/** As many as the kernel takes. */
const maxFunctions = 1 << 20;

/** `uprobe.multi/<file>:<pattern>` and `uretprobe.multi/…`: all functions whose names fit a pattern with `*` and `?`. */
export const uprobeMulti: AttachFamily = {
  accepts: ({ type, section }) => type === ProgramType.kprobe && /^u(ret)?probe\.multi\//.test(section),
  subjects: ['current', 'node'],
  attach(program, pod, hooks) {
    const [, file, pattern] = /^([^:]+):([A-Za-z0-9_.*?$]+)$/.exec(sectionTarget(program)) ?? [];
    if (file === undefined || pattern === undefined)
      throw new Error(
        `program ${program.name}: section "${program.section}" must be uprobe.multi/<file>:<pattern>`,
      );
    const shape = new RegExp(
      `^${pattern.replace(/[.$]/g, '\\$&').replace(/\*+/g, '.*').replace(/\?/g, '.')}$`,
    );
    return attachToPodFiles(program, pod, file, ({ path, id }) => {
      const offsets = findFunctions(path, (name) => shape.test(name));
      if (offsets.length === 0) throw new Error(`it has no function ${pattern}`);
      if (offsets.length > maxFunctions) throw new Error(`it has ${offsets.length} functions ${pattern}`);
      const returns = program.section.startsWith('uret');
      return behindDispatcher({
        accepts: uprobeMulti.accepts,
        dispatchers: () => dispatchersOf({ kind: 'current' }),
        hook: () => `${returns ? 'uretprobe' : 'uprobe'}.multi/${pattern}/${id}`,
        verdict: 1,
        prepare: (dispatcher) => retarget(dispatcher, ProgramType.kprobe, AttachType.traceUprobeMulti),
        link: (dispatcher) => attachUprobeMulti(dispatcher, path, offsets, returns),
      }).attach(program, pod, hooks);
    });
  },
};
