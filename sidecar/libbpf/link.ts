import type { Pointer } from './call.ts';
import { BpfError } from './error.ts';
import { captureLog } from './log.ts';
import { errno } from './memory.ts';
import { libbpf } from './native.ts';
import type { Program } from './object.ts';

/** An attachment; it ends with destroyLink or with the process. */
export type Link = Pointer;

/** Attaches a loaded tp_btf program to the hook of its attach target. */
export function attachTrace(program: Program): Link {
  return attach(program, 'its kernel function', () => libbpf.bpf_program__attach_trace(program.pointer));
}

export function attachRawTracepoint(program: Program, name: string): Link {
  return attach(program, `raw tracepoint ${name}`, () =>
    libbpf.bpf_program__attach_raw_tracepoint(program.pointer, name),
  );
}

export function attachTracepoint(program: Program, category: string, name: string): Link {
  return attach(program, `tracepoint ${category}:${name}`, () =>
    libbpf.bpf_program__attach_tracepoint(program.pointer, category, name),
  );
}

/** `cgroup` is an open directory of the cgroup v2 hierarchy. */
export function attachCgroup(program: Program, cgroup: number): Link {
  return attach(program, 'the pod cgroup', () => libbpf.bpf_program__attach_cgroup(program.pointer, cgroup));
}

/** The link's file descriptor. The kernel's link lives as long as it, or a pin. */
export function linkFd(link: Link): number {
  return libbpf.bpf_link__fd(link);
}

export function destroyLink(link: Link): void {
  libbpf.bpf_link__destroy(link);
}

function attach(program: Program, target: string, action: () => Link): Link {
  const { result, log } = captureLog(() => {
    const link = action();
    return { link, error: link === 0 ? errno() : 0 };
  });
  if (result.link === 0)
    throw new BpfError(`program ${program.name} cannot be attached to ${target}`, result.error, log);
  return result.link;
}
