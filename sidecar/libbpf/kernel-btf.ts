import type { Pointer } from './call.ts';
import { readMemory, readString } from './memory.ts';
import { libbpf } from './native.ts';

const Kind = {
  pointer: 2,
  struct: 4,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  func: 12,
  funcProto: 13,
} as const;

/** struct btf_type: name, info, and the size or the type referred to. */
const typeSize = 12;
const parameterSize = 8;
const constantSize = 8;

/** What the arguments of a hook point to: the name of the struct, or undefined for anything else. */
export type ArgumentStructs = (string | undefined)[];

/**
 * The arguments of a kernel tracepoint, from the type `btf_trace_<name>` in the kernel's BTF; undefined when there is
 * no such tracepoint, or no BTF.
 */
export function tracepointArguments(name: string): ArgumentStructs | undefined {
  // The first is the `void *__data` of every tracepoint's function.
  return argumentsOf(`btf_trace_${name}`, Kind.typedef)?.slice(1);
}

/** The arguments of a function of the kernel; undefined when there is none of that name, or no BTF. */
export function functionArguments(name: string): ArgumentStructs | undefined {
  return argumentsOf(name, Kind.func);
}

/** The values of an enum of the kernel, of 32 bits at most, with their names; empty when it has none of that name, or no BTF. */
export function kernelEnum(name: string): [value: number, name: string][] {
  const values = withKernelType(name, Kind.enum, (btf, id) => {
    const { at, count } = typeAt(btf, id);
    const constants = readMemory(at + typeSize, count * constantSize);
    return Array.from({ length: count }, (_, i): [number, string] => [
      constants.readUInt32LE(i * constantSize + 4),
      readString(libbpf.btf__name_by_offset(btf, constants.readUInt32LE(i * constantSize))),
    ]);
  });
  return values ?? [];
}

function argumentsOf(name: string, kind: number): ArgumentStructs | undefined {
  return withKernelType(name, kind, (btf, id) => {
    const proto = follow(btf, id, [Kind.func, Kind.typedef, Kind.pointer]);
    if (proto.kind !== Kind.funcProto) return undefined;
    const parameters = readMemory(proto.at + typeSize, proto.count * parameterSize);
    return Array.from({ length: proto.count }, (_, i) =>
      pointedStruct(btf, parameters.readUInt32LE(i * parameterSize + 4)),
    );
  });
}

/** Megabytes of memory and milliseconds of reading: kept from one use to the next. */
let known: Pointer | undefined;

/** Frees the kernel's BTF until it is asked for again. */
export function forgetKernelBtf(): void {
  if (known !== undefined) libbpf.btf__free(known);
  known = undefined;
}

/** What is read of a type in the kernel's BTF; undefined when it is not there. */
function withKernelType<T>(name: string, kind: number, read: (btf: Pointer, id: number) => T): T | undefined {
  known ??= libbpf.btf__load_vmlinux_btf();
  const id = known === 0 ? -1 : libbpf.btf__find_by_name_kind(known, name, kind);
  return id < 0 ? undefined : read(known, id);
}

function pointedStruct(btf: Pointer, id: number): string | undefined {
  if (id === 0 || typeAt(btf, id).kind !== Kind.pointer) return undefined;
  const target = follow(btf, id, [Kind.pointer, Kind.const, Kind.volatile]);
  return target.kind === Kind.struct ? readString(libbpf.btf__name_by_offset(btf, target.name)) : undefined;
}

interface Type {
  at: Pointer;
  kind: number;
  count: number;
  name: number;
  target: number;
}

function typeAt(btf: Pointer, id: number): Type {
  const at = libbpf.btf__type_by_id(btf, id);
  const bytes = readMemory(at, typeSize);
  const info = bytes.readUInt32LE(4);
  return {
    at,
    kind: (info >> 24) & 0x1f,
    count: info & 0xffff,
    name: bytes.readUInt32LE(0),
    target: bytes.readUInt32LE(8),
  };
}

/** Goes through types of these kinds, each at most once. */
function follow(btf: Pointer, id: number, kinds: readonly number[]): Type {
  let type = typeAt(btf, id);
  for (const _ of kinds) if (kinds.includes(type.kind) && type.target !== 0) type = typeAt(btf, type.target);
  return type;
}
