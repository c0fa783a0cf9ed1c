import { BpfError } from './error.ts';
import type { Link } from './link.ts';
import { captureLog } from './log.ts';
import { libbpf } from './native.ts';
import { type Program, programFd } from './object.ts';

/** enum bpf_tc_attach_point and bpf_tc_flags of <bpf/libbpf.h>. */
export const Direction = { ingress: 1, egress: 2 } as const;
const bothDirections = Direction.ingress | Direction.egress;
const REPLACE = 1;
const EEXIST = 17;

/**
 * Where our filters are: each has a priority of its own, for that alone makes the kernel run them in the order in which
 * they came. Filters outlive their process, so that the next one must know where those of a killed one are.
 */
const firstPriority = 0xb5c0;
const handle = 1;
const places = 16;

/** Which of them this process has taken, by interface and direction. */
const taken = new Map<string, Set<number>>();
/** Interfaces whose filters have what they need by our doing. */
const prepared = new Set<number>();

/**
 * A program as a filter of tc(8) for the packets of an interface, for kernels without tcx (before Linux 6.6); what it
 * returns decides about the packet, and TC_ACT_UNSPEC (-1) leaves that to the next.
 */
export function attachFilter(program: Program, direction: number, index: number, name: string): Link {
  const used = takenOn(index, direction);
  const place = Array.from({ length: places }, (_, i) => i).find((candidate) => !used.has(candidate));
  if (place === undefined)
    throw new Error(`program ${program.name} is one too many: interface ${name} has room for ${places}`);
  const fail = (result: number, log: string) => {
    throw new BpfError(`program ${program.name} cannot be attached to interface ${name}`, -result, log);
  };
  const made = captureLog(() => libbpf.bpf_tc_hook_create(hookOf(index, bothDirections)));
  if (made.result < 0 && made.result !== -EEXIST) fail(made.result, made.log);
  if (made.result === 0) prepared.add(index);
  const { result, log } = captureLog(() =>
    libbpf.bpf_tc_attach(hookOf(index, direction), optionsOf(place, programFd(program), REPLACE)),
  );
  if (result < 0) {
    removeUnused(index);
    fail(result, log);
  }
  used.add(place);
  return {
    close() {
      detach(index, direction, place);
      used.delete(place);
      removeUnused(index);
    },
  };
}

/** Removes the filters that a killed sidecar has left on an interface. */
export function removeFilters(index: number): void {
  for (const direction of [Direction.ingress, Direction.egress])
    for (let place = 0; place < places; place++) detach(index, direction, place);
}

/** Does nothing where there is no filter. */
function detach(index: number, direction: number, place: number): void {
  captureLog(() => libbpf.bpf_tc_detach(hookOf(index, direction), optionsOf(place, 0, 0)));
}

/** What filters need, unless another has brought it, goes with the last of ours. */
function removeUnused(index: number): void {
  const inUse = Object.values(Direction).some((direction) => takenOn(index, direction).size > 0);
  if (!inUse && prepared.delete(index))
    captureLog(() => libbpf.bpf_tc_hook_destroy(hookOf(index, bothDirections)));
}

function takenOn(index: number, direction: number): Set<number> {
  const key = `${index}/${direction}`;
  const used = taken.get(key) ?? new Set();
  taken.set(key, used);
  return used;
}

/** struct bpf_tc_hook: size_t sz; int ifindex; enum attach_point; u32 parent; */
function hookOf(index: number, direction: number): Buffer {
  const hook = Buffer.alloc(24);
  hook.writeBigUInt64LE(BigInt(hook.length), 0);
  hook.writeUInt32LE(index, 8);
  hook.writeUInt32LE(direction, 12);
  return hook;
}

/** struct bpf_tc_opts: size_t sz; int prog_fd; u32 flags, prog_id, handle, priority; */
function optionsOf(place: number, program: number, flags: number): Buffer {
  const options = Buffer.alloc(32);
  options.writeBigUInt64LE(BigInt(options.length), 0);
  options.writeInt32LE(program, 8);
  options.writeUInt32LE(flags, 12);
  options.writeUInt32LE(handle, 20);
  options.writeUInt32LE(firstPriority + place, 24);
  return options;
}
