import { closeSync } from 'node:fs';
import { addressOf, keepAlive, type Pointer } from './call.ts';
import { BpfError } from './error.ts';
import { attachFilter, Direction } from './filter.ts';
import { captureLog } from './log.ts';
import { errno } from './memory.ts';
import { bpfCall, libbpf, libc } from './native.ts';
import { type Program, programFd } from './object.ts';
import { disablePerfEvent, enablePerfEvent } from './perf-event.ts';
import { AttachType } from './types.ts';

/** A program on a hook, until it is closed or the process ends. */
export interface Link {
  /** Of the kernel's link, where it is one: it lives as long as this, or a pin. */
  fd?: number;
  /** Runs a program that runs when it is asked to. */
  refresh?(): void;
  /** Lets events that were attached disabled come, or come no more. */
  enable?(on: boolean): void;
  close(): void;
}

/** System call numbers of bpf(2). */
const callNumbers: Partial<Record<NodeJS.Architecture, number>> = { x64: 321, arm64: 280 };
const BPF_LINK_CREATE = 28;
/** <linux/perf_event.h> */
const PERF_EVENT_IOC_SET_BPF = 0x40042408;
/** union bpf_attr, of which link_create takes less. */
const attributeSize = 128;

/** What does the same as tcx where the kernel has none. */
const filterDirections: Record<number, number> = {
  [AttachType.tcxIngress]: Direction.ingress,
  [AttachType.tcxEgress]: Direction.egress,
};

/** Attaches a loaded tp_btf, fentry, fexit or LSM program to the hook of its attach target. */
export function attachTrace(program: Program): Link {
  return attach(program, 'its kernel function', () => libbpf.bpf_program__attach_trace(program.pointer));
}

export function attachRawTracepoint(program: Program, name: string): Link {
  return attach(program, `raw tracepoint ${name}`, () =>
    libbpf.bpf_program__attach_raw_tracepoint(program.pointer, name),
  );
}

/** `cgroup` is an open directory of the cgroup v2 hierarchy. */
export function attachCgroup(program: Program, cgroup: number): Link {
  return attach(program, 'the pod cgroup', () => libbpf.bpf_program__attach_cgroup(program.pointer, cgroup));
}

/** All functions of the kernel whose names fit a pattern with `*` and `?`. */
export function attachKprobeMulti(program: Program, pattern: string, returns: boolean): Link {
  // struct bpf_kprobe_multi_opts: size_t sz; syms; addrs; cookies; size_t cnt; bool retprobe;
  const options = Buffer.alloc(48);
  options.writeBigUInt64LE(BigInt(options.length), 0);
  options.writeUInt8(returns ? 1 : 0, 40);
  return attach(program, `kernel functions ${pattern}`, () =>
    libbpf.bpf_program__attach_kprobe_multi_opts(program.pointer, pattern, options),
  );
}

/** A USDT probe of an executable or library, for every process that has it mapped. */
export function attachUsdt(program: Program, path: string, provider: string, name: string): Link {
  const anyProcess = -1;
  return attach(program, `USDT probe ${provider}:${name} of ${path}`, () =>
    libbpf.bpf_program__attach_usdt(program.pointer, anyProcess, path, provider, name, null),
  );
}

/**
 * An opened perf event, which is the link's from here on; one that was opened `disabled` comes when the link enables it.
 * The kernel has links for these since Linux 5.15.
 */
export function attachPerfEvent(program: Program, event: number, disabled = false): Link {
  const enable = (on: boolean) => (on ? enablePerfEvent : disablePerfEvent)(event);
  const close = () => closeSync(event);
  try {
    const link = createLink(program, 'its perf event', event, AttachType.perfEvent);
    if (!disabled) {
      close();
      return link;
    }
    return {
      ...link,
      enable,
      close() {
        link.close();
        close();
      },
    };
  } catch (error) {
    const outcome = isUnknown(error) ? setProgram(event, program) : error;
    if (outcome === undefined) return { ...(disabled && { enable }), close };
    close();
    throw outcome;
  }
}

/** The next program for the packets of an interface; `type` is tcxIngress, tcxEgress or xdp. */
export function attachInterface(program: Program, type: number, index: number, name: string): Link {
  try {
    return createLink(program, `interface ${name}`, index, type);
  } catch (error) {
    const direction = filterDirections[type];
    if (direction === undefined || !isUnknown(error)) throw error;
    return attachFilter(program, direction, index, name);
  }
}

/** Makes an iterator ready to be run. */
export function attachIterator(program: Program): Link {
  return createLink(program, 'its iterator', 0, AttachType.traceIter);
}

/** Several places of one executable or library, by file offsets. Needs Linux 6.6. */
export function attachUprobeMulti(
  program: Program,
  path: string,
  offsets: readonly bigint[],
  returns: boolean,
): Link {
  const file = Buffer.from(`${path}\0`);
  const list = Buffer.from(BigUint64Array.from(offsets).buffer);
  keepAlive(file, list);
  // path, offsets, ref_ctr_offsets, cookies: pointers; cnt, flags (BPF_F_UPROBE_MULTI_RETURN), pid: u32
  const rest = Buffer.alloc(44);
  rest.writeBigUInt64LE(BigInt(addressOf(file)), 0);
  rest.writeBigUInt64LE(BigInt(addressOf(list)), 8);
  rest.writeUInt32LE(offsets.length, 32);
  rest.writeUInt32LE(returns ? 1 : 0, 36);
  return createLink(program, `functions of ${path}`, 0, AttachType.traceUprobeMulti, rest);
}

/** BPF_LINK_CREATE; `target` is a descriptor or an interface, `rest` what follows the flags in its attributes. */
function createLink(
  program: Program,
  where: string,
  target: number,
  type: number,
  rest = Buffer.alloc(0),
): Link {
  const attributes = Buffer.alloc(attributeSize);
  attributes.writeInt32LE(programFd(program), 0);
  attributes.writeUInt32LE(target, 4);
  attributes.writeUInt32LE(type, 8);
  rest.copy(attributes, 16);
  const number = callNumbers[process.arch] ?? -1;
  const fd = bpfCall.syscall(number, BPF_LINK_CREATE, attributes, 16 + Math.max(rest.length, 48));
  if (fd < 0) throw new BpfError(`program ${program.name} cannot be attached to ${where}`, errno(), '');
  return { fd, close: () => closeSync(fd) };
}

/** For kernels without links for perf events: the program is the event's, which was opened enabled. */
function setProgram(event: number, program: Program): BpfError | undefined {
  if (libc.ioctl(event, PERF_EVENT_IOC_SET_BPF, programFd(program)) === 0) return undefined;
  return new BpfError(`program ${program.name} cannot be attached to its perf event`, errno(), '');
}

/** Whether the kernel has no links of a type: it may also say so of those that it has. */
function isUnknown(error: unknown): boolean {
  return error instanceof BpfError && error.code === 'EINVAL';
}

function attach(program: Program, target: string, action: () => Pointer): Link {
  const { result, log } = captureLog(() => {
    const link = action();
    return { link, error: link === 0 ? errno() : 0 };
  });
  if (result.link === 0)
    throw new BpfError(`program ${program.name} cannot be attached to ${target}`, result.error, log);
  const fd = libbpf.bpf_link__fd(result.link);
  return { ...(fd >= 0 && { fd }), close: () => void libbpf.bpf_link__destroy(result.link) };
}
