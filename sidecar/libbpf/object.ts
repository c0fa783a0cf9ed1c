import { closeSync } from 'node:fs';
import type { SubjectChoice } from '../contract/metric-spec.ts';
import { type Btf, type Member, membersOf, type Part, parseBtf, variablesOf } from './btf.ts';
import { addressOf, type Pointer } from './call.ts';
import { BpfError } from './error.ts';
import { captureLog } from './log.ts';
import { errno, readMemory, readString, writeMemory } from './memory.ts';
import { libbpf, libc } from './native.ts';
import { typeOfSection } from './sections.ts';
import { replaceTaskStorage } from './task-storage.ts';
import { ProgramType } from './types.ts';

/** An opened object. Pointers into it are valid until closeObject. */
export interface BpfObject {
  readonly name: string;
  readonly pointer: Pointer;
  /** Read again when nobody has used it for a while: after the start hardly anybody does. */
  readonly btf: Btf | undefined;
  readonly programs: readonly Program[];
  readonly maps: readonly BpfMap[];
}

export interface Program {
  readonly pointer: Pointer;
  readonly name: string;
  /** As written in SEC(), e.g. `tp_btf/sys_enter`. */
  readonly section: string;
  /** enum bpf_prog_type. */
  readonly type: number;
  /** enum bpf_attach_type. */
  readonly expectedAttachType: number;
  /** Whom its events are about, where the metric spec says so. */
  readonly subject?: SubjectChoice;
}

export interface BpfMap {
  readonly pointer: Pointer;
  readonly name: string;
  /** enum bpf_map_type. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** The key's type in the object's BTF, 0 when it has none. */
  readonly keyTypeId: number;
  /** The value's type in the object's BTF, 0 when it has none. */
  readonly valueTypeId: number;
  /** What the maps in a map of maps look like. */
  readonly inner?: BpfMap;
}

/** <linux/fcntl.h> */
const F_DUPFD_CLOEXEC = 1030;

const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');

/** Several times the largest object that there is use for. */
const maxObjectBytes = 16 * 1024 * 1024;

/**
 * Opens an ELF object from memory; nothing is loaded yet. `elf` may be dropped afterwards. Its maps are its own, also those
 * that it asks libbpf to pin by name, under which others would have the same map.
 */
export function openObject(name: string, elf: Buffer): BpfObject {
  if (elf.length > maxObjectBytes)
    throw new Error(`object ${name} has ${elf.length} bytes, and the most is ${maxObjectBytes}`);
  if (!elf.subarray(0, 4).equals(ELF_MAGIC))
    throw new Error(`object ${name} is not an ELF file: compile the program with clang -target bpf`);
  // struct bpf_object_open_opts: size_t sz; const char *object_name; ... (the rest stays zero)
  const objectName = Buffer.from(`${name.replace(/[^A-Za-z0-9_]/g, '_')}\0`);
  const options = Buffer.alloc(64);
  options.writeBigUInt64LE(BigInt(options.length), 0);
  options.writeBigUInt64LE(BigInt(addressOf(objectName)), 8);
  const { result, log } = captureLog(() => {
    const pointer = libbpf.bpf_object__open_mem(elf, elf.length, options);
    return { pointer, error: pointer === 0 ? errno() : 0 };
  });
  if (result.pointer === 0) throw new BpfError(`object ${name} cannot be opened`, result.error, log);
  try {
    const object = result.pointer;
    return {
      name,
      pointer: object,
      btf: readBtf(object),
      programs: readPrograms(object),
      maps: readMaps(object),
    };
  } catch (error) {
    libbpf.bpf_object__close(result.pointer);
    throw error;
  }
}

/** For a probe that has no program: nothing is in it, and there is nothing to free. */
export function emptyObject(name: string): BpfObject {
  return { name, pointer: 0, btf: undefined, programs: [], maps: [] };
}

/**
 * Creates the maps and has the kernel verify the programs. Throws a BpfError with the verifier's words, which tells the
 * program when it is about one; `name` says what the object is where its author has to know it by another name.
 */
export function loadObject(object: BpfObject, name?: string): void {
  const { result, log } = captureLog(() => libbpf.bpf_object__load(object.pointer));
  if (result >= 0) return;
  const program = programIn(log);
  const what = name ?? (program === undefined ? `object ${object.name}` : `program ${program}`);
  throw new BpfError(`${what} cannot be loaded`, -result, log, program);
}

/** The last program that libbpf complained about. */
function programIn(log: string): string | undefined {
  return [...log.matchAll(/^(?:libbpf: )?prog '([^']+)': /gm)].at(-1)?.[1];
}

/** Frees the object; programs and maps go with the last link or process that uses them. */
export function closeObject(object: BpfObject): void {
  libbpf.bpf_object__close(object.pointer);
}

/** Sets `const volatile` variables, those the object has, before it is loaded. */
export function setConstants(object: BpfObject, values: Readonly<Record<string, number | bigint>>): void {
  const map = object.maps.find((candidate) => candidate.name.endsWith('.rodata'));
  if (!map || !object.btf) return;
  const variables = variablesOf(object.btf, '.rodata');
  changeInitialValue(map, (memory) => {
    for (const { name, offset, size } of variables) {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (value === undefined) continue;
      writeInteger(memory, { name, offset, size }, BigInt(value));
    }
  });
}

/** The map that holds the zeroed global variables of an object, `.bss`. */
export function findVariables(object: BpfObject): BpfMap {
  const map = object.maps.find((candidate) => candidate.name.endsWith('.bss'));
  if (!map) throw new Error(`object ${object.name} has no global variables`);
  return map;
}

/** Whether there is a `const volatile` variable of that name. */
export function hasConstant(object: BpfObject, name: string): boolean {
  return (
    object.btf !== undefined && variablesOf(object.btf, '.rodata').some((variable) => variable.name === name)
  );
}

/** Writes an initialised or zeroed global variable (`.data`, `.bss`) before the object is loaded. */
export function setVariable(object: BpfObject, name: string, value: bigint): void {
  for (const section of ['.data', '.bss']) {
    const variable =
      object.btf && variablesOf(object.btf, section).find((candidate) => candidate.name === name);
    const map = object.maps.find((candidate) => candidate.name.endsWith(section));
    if (!variable || !map) continue;
    changeInitialValue(map, (memory) => writeInteger(memory, { ...variable, size: 8 }, value));
    return;
  }
  throw new Error(`object ${object.name} has no variable ${name}`);
}

/**
 * The map of that name, or an error that names those there are. `.bss` and `.data` are the sections of global
 * variables, before whose name libbpf puts a part of the object's.
 */
export function findMap(object: BpfObject, name: string): BpfMap {
  const map = object.maps.find((candidate) =>
    name.startsWith('.') ? candidate.name.endsWith(name) : candidate.name === name,
  );
  if (map) return map;
  const names = object.maps
    .map((candidate) => candidate.name)
    .filter((candidate) => !candidate.includes('.'));
  throw new Error(`object ${object.name} has no map ${name}; it has ${names.join(', ') || 'none'}`);
}

/**
 * Where a member lies in a map's value, or a variable in a section, or an error that names those there are.
 */
export function findMember(object: BpfObject, mapName: string, member: string): Member {
  const map = findMap(object, mapName);
  const members = object.btf ? membersIn(object.btf, mapName, map) : [];
  const found = members.find((candidate) => candidate.name === member);
  if (found) return found;
  const names = members.map((candidate) => candidate.name);
  throw new Error(
    `map ${mapName} of object ${object.name} has no value member ${member}; it has ${names.join(', ') || 'none'}`,
  );
}

function membersIn(btf: Btf, mapName: string, map: BpfMap): Member[] {
  if (mapName.startsWith('.')) return variablesOf(btf, mapName);
  return membersOf(btf, (map.inner ?? map).valueTypeId);
}

/** Makes a program that is not loaded yet one of another type; for tp_btf `target` names the tracepoint. */
export function retarget(program: Program, type: number, expectedAttachType: number, target?: string): void {
  const results = [
    libbpf.bpf_program__set_type(program.pointer, type),
    libbpf.bpf_program__set_expected_attach_type(program.pointer, expectedAttachType),
  ];
  const { result, log } = captureLog(() =>
    target === undefined ? 0 : libbpf.bpf_program__set_attach_target(program.pointer, 0, target),
  );
  const failed = [...results, result].find((code) => code < 0);
  if (failed !== undefined)
    throw new BpfError(`the kernel has no hook ${target ?? `of type ${type}`}`, -failed, log);
}

/** The attach type that a program was loaded with: that of USDT probes libbpf may change, from 1.3 on, to what the kernel has. */
export function loadedAttachType(program: Program): number {
  return libbpf.bpf_program__expected_attach_type(program.pointer);
}

/** Has loadObject leave a program out. */
export function leaveOut(program: Program): void {
  libbpf.bpf_program__set_autoload(program.pointer, 0);
}

/** Whether loadObject takes a program: not when its section begins with a question mark. */
export function isWanted(program: Program): boolean {
  return libbpf.bpf_program__autoload(program.pointer) !== 0;
}

export function programFd(program: Program): number {
  return libbpf.bpf_program__fd(program.pointer);
}

/** Another descriptor of the same, which stays when the object is closed; no process that is begun inherits it. */
export function duplicate(fd: number): number {
  const other = libc.fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (other < 0) throw new BpfError(`descriptor ${fd} cannot be duplicated`, errno(), '');
  return other;
}

/**
 * Has `action`, in which libbpf attaches a program, attach another one of the same type in its place: the descriptor that
 * libbpf takes for the program's is the other's meanwhile.
 */
export function actingAs<T>(other: Program, program: Program, action: () => T): T {
  const fd = programFd(program);
  const own = libc.dup(fd);
  if (own < 0 || libc.dup2(programFd(other), fd) < 0)
    throw new BpfError(`program ${program.name} cannot be stood in for`, errno(), '');
  try {
    return action();
  } finally {
    libc.dup2(own, fd);
    closeSync(own);
  }
}

export function mapFd(map: BpfMap): number {
  return libbpf.bpf_map__fd(map.pointer);
}

/** Where a variable is comes from the object's BTF, which may say anything. */
function writeInteger(memory: Buffer, { name, offset, size }: Part, value: bigint): void {
  if (![1, 2, 4, 8].includes(size) || offset + size > memory.length)
    throw new Error(`variable ${name} is no integer within its section`);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt.asIntN(64, value));
  bytes.copy(memory, offset, 0, size);
}

/** Changes a copy and writes it back, so that no offset in an object can reach beyond the section. */
function changeInitialValue(map: BpfMap, change: (memory: Buffer) => void): void {
  const size = Buffer.alloc(8);
  const pointer = libbpf.bpf_map__initial_value(map.pointer, size);
  if (pointer === 0) throw new Error(`map ${map.name} has no initial value`);
  const memory = readMemory(pointer, Number(size.readBigUInt64LE()));
  change(memory);
  writeMemory(pointer, memory);
}

function readBtf(object: Pointer): Btf | undefined {
  const btf = libbpf.bpf_object__btf(object);
  if (btf === 0) return undefined;
  const size = Buffer.alloc(4);
  const data = libbpf.btf__raw_data(btf, size);
  return data === 0 ? undefined : parseBtf(readMemory(data, size.readUInt32LE()));
}

function readPrograms(object: Pointer): Program[] {
  return walk((previous) => libbpf.bpf_object__next_program(object, previous)).map((pointer) => {
    const section = readString(libbpf.bpf_program__section_name(pointer));
    const type = libbpf.bpf_program__type(pointer);
    const known = type === ProgramType.unspecified ? typeOfSection(section) : undefined;
    if (known) {
      libbpf.bpf_program__set_type(pointer, known.type);
      libbpf.bpf_program__set_expected_attach_type(pointer, known.attachType);
    }
    return {
      pointer,
      name: readString(libbpf.bpf_program__name(pointer)),
      section,
      type: known?.type ?? type,
      expectedAttachType: libbpf.bpf_program__expected_attach_type(pointer),
    };
  });
}

function readMaps(object: Pointer): BpfMap[] {
  return walk((previous) => libbpf.bpf_object__next_map(object, previous)).map((pointer) => {
    libbpf.bpf_map__set_pin_path(pointer, null);
    return readMap(pointer);
  });
}

function readMap(pointer: Pointer): BpfMap {
  replaceTaskStorage(pointer);
  // libbpf forgets it when the map is made.
  const inner = libbpf.bpf_map__inner_map(pointer);
  return {
    pointer,
    name: readString(libbpf.bpf_map__name(pointer)),
    type: libbpf.bpf_map__type(pointer),
    keySize: libbpf.bpf_map__key_size(pointer),
    valueSize: libbpf.bpf_map__value_size(pointer),
    maxEntries: libbpf.bpf_map__max_entries(pointer),
    keyTypeId: libbpf.bpf_map__btf_key_type_id(pointer),
    valueTypeId: libbpf.bpf_map__btf_value_type_id(pointer),
    ...(inner !== 0 && { inner: readMap(inner) }),
  };
}

function walk(next: (previous: Pointer) => Pointer): Pointer[] {
  const all: Pointer[] = [];
  for (let pointer = next(0); pointer !== 0; pointer = next(pointer)) all.push(pointer);
  return all;
}
