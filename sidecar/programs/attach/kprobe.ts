import { readFileSync } from 'node:fs';
import { subjectChoices } from '../../contract/metric-spec.ts';
import { functionArguments } from '../../libbpf/kernel-btf.ts';
import type { Program } from '../../libbpf/object.ts';
import { retarget } from '../../libbpf/object.ts';
import { ProgramType } from '../../libbpf/types.ts';
import { behindDispatcher } from '../dispatch.ts';
import { functionSubject } from '../subject.ts';
import { dispatchersOf } from '../subject-dispatchers.ts';
import { sectionTarget } from './family.ts';
import { attachToEvent } from './perf.ts';
import { probeType, RETURNS } from './probe-type.ts';

const section = /^k(ret)?(probe|syscall)\//;

/** The functions of system calls are called so where the kernel wraps them; elsewhere `__se_sys_`. */
const syscallPrefixes: Partial<Record<NodeJS.Architecture, string>> = {
  x64: '__x64_sys_',
  arm64: '__arm64_sys_',
};

/**
 * `kprobe/<function>[+offset]`, `kretprobe/<function>`, `ksyscall/<call>` and `kretsyscall/<call>`: through
 * perf_event_open.
 */
export const kprobe = behindDispatcher({
  accepts: (program) => program.type === ProgramType.kprobe && section.test(program.section),
  subjects: subjectChoices,
  dispatchers(program) {
    const { name, offset } = functionOf(program);
    // Only at its entry are a function's arguments where they were passed.
    const atEntry = !isReturn(program) && offset === 0n;
    return dispatchersOf(
      functionSubject(program, name, atEntry ? functionArguments(name) : undefined),
      'registers',
    );
  },
  hook(program) {
    const { name, offset } = functionOf(program);
    return `${isReturn(program) ? 'kretprobe' : 'kprobe'}/${name}/${offset}`;
  },
  // 0 would have the kernel drop the event for every other perf consumer of the node.
  verdict: 1,
  prepare: (dispatcher) => retarget(dispatcher, ProgramType.kprobe, 0),
  link(dispatcher, program) {
    const type = probeType('kprobe', program);
    return attachToEvent(dispatcher, {
      type,
      config: isReturn(program) ? RETURNS : 0,
      ...functionOf(program),
    });
  },
});

function isReturn({ section }: Program): boolean {
  return section.startsWith('kret');
}

function functionOf(program: Program): { name: string; offset: bigint } {
  const target = sectionTarget(program);
  const [, name, offset] = /^([A-Za-z0-9_.]+)(?:\+(0x[0-9a-fA-F]+|[0-9]+))?$/.exec(target) ?? [];
  if (name === undefined)
    throw new Error(
      `program ${program.name}: section "${program.section}" must be ${program.section.split('/')[0]}/<function>`,
    );
  if (/^k(ret)?syscall\//.test(program.section)) return { name: syscallFunction(name), offset: 0n };
  return { name, offset: BigInt(offset ?? 0) };
}

function syscallFunction(call: string): string {
  const wrapped = `${syscallPrefixes[process.arch]}${call}`;
  return functionArguments(wrapped) !== undefined || isKernelFunction(wrapped) ? wrapped : `__se_sys_${call}`;
}

function isKernelFunction(name: string): boolean {
  return readFileSync('/proc/kallsyms', 'latin1').includes(` ${name}\n`);
}
