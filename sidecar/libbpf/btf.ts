/**
 * Reads an object's BTF (https://docs.kernel.org/bpf/btf.html): which members a struct has and where a
 * global variable lies. parseBtf checks that every type lies within the data, which a hostile object may deny.
 */

export interface Btf {
  /** Position of each type in the buffer; id 0 is void. */
  offsets: number[];
  data: Buffer;
  strings: number;
}

export interface Part {
  name: string;
  /** In bytes from the start of the struct. */
  offset: number;
  /** In bytes. */
  size: number;
}

/** A member of a struct, or a variable of a section. */
export interface Member extends Part {
  /** Whether it is a signed integer. */
  signed: boolean;
}

/** A part of a type that is no struct itself. */
export interface Field extends Part {
  /**
   * Text is an array of char, an endpoint the struct of bpf/include/endpoint.bpf.h; bytes is whatever is no number and none
   * of these.
   */
  kind: 'unsigned' | 'signed' | 'text' | 'endpoint' | 'bytes';
  /** Of an enum, by value as decimal digits; the first of several names. */
  names?: ReadonlyMap<string, string>;
}

const MAGIC = 0xeb9f;
const HEADER_TYPE_SIZE = 12;
const maxDepth = 32;
const SIGNED = 1 << 24;
/** Parts of one type that fieldsOf gives. */
const maxFields = 256;
const maxVisits = 10_000;
/** Names of one enum: the kernel's largest has some hundreds. */
const maxNames = 4096;

const Kind = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  func: 12,
  funcProto: 13,
  variable: 14,
  dataSection: 15,
  float: 16,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

/** Bytes that follow the common 12 of a type. */
function extraSize(kind: number, count: number): number {
  switch (kind) {
    case Kind.int:
    case Kind.variable:
    case Kind.declTag:
      return 4;
    case Kind.array:
      return 12;
    case Kind.struct:
    case Kind.union:
    case Kind.dataSection:
    case Kind.enum64:
      return 12 * count;
    case Kind.enum:
    case Kind.funcProto:
      return 8 * count;
    default:
      return 0;
  }
}

/** Throws an Error when the data is not BTF. */
export function parseBtf(data: Buffer): Btf {
  if (data.length < 24 || data.readUInt16LE(0) !== MAGIC) throw new Error('not BTF');
  const header = data.readUInt32LE(4);
  const types = header + data.readUInt32LE(8);
  const end = types + data.readUInt32LE(12);
  const strings = header + data.readUInt32LE(16);
  if (end > data.length) throw new Error('malformed BTF: its types go beyond its end');
  const offsets = [0];
  for (let at = types; at < end; ) {
    offsets.push(at);
    const info = at + HEADER_TYPE_SIZE <= end ? data.readUInt32LE(at + 4) : 0;
    at += HEADER_TYPE_SIZE + extraSize((info >> 24) & 0x1f, info & 0xffff);
    if (at > end)
      throw new Error(`malformed BTF: type ${offsets.length - 1} goes beyond the end of the types`);
  }
  return { offsets, data, strings };
}

/** The members of a struct or union, through typedefs and qualifiers; empty for any other type. */
export function membersOf(btf: Btf, typeId: number): Member[] {
  const type = resolve(btf, typeId);
  if (!type || (type.kind !== Kind.struct && type.kind !== Kind.union)) return [];
  const members: Member[] = [];
  for (let i = 0; i < type.count; i++) {
    const at = type.at + HEADER_TYPE_SIZE + 12 * i;
    // With the kind flag the upper byte is a bit-field's width; ours have none.
    const bits = btf.data.readUInt32LE(at + 8) & 0xffffff;
    const memberType = btf.data.readUInt32LE(at + 4);
    members.push({
      name: stringAt(btf, btf.data.readUInt32LE(at)),
      offset: bits / 8,
      size: sizeOf(btf, memberType),
      signed: isSigned(btf, memberType),
    });
  }
  return members;
}

/**
 * A type as the numbers, texts and bytes that it is made of: the members of structs, also of structs inside it,
 * whose names are joined with `_`. A type that is no struct is one field without a name. Throws an Error for
 * bit-fields, which have no bytes of their own, and for a type of more fields than any label list can take.
 */
export function fieldsOf(btf: Btf, typeId: number): Field[] {
  const fields: Field[] = [];
  collectFields(btf, typeId, '', 0, 0, { fields, visits: 0 });
  return fields;
}

function collectFields(
  btf: Btf,
  typeId: number,
  name: string,
  offset: number,
  depth: number,
  found: { fields: Field[]; visits: number },
): void {
  // Empty structs in empty structs are no fields, and may be many.
  if (++found.visits > maxVisits) throw new Error('a struct is nested too deep');
  const type = resolve(btf, typeId);
  if (type?.kind !== Kind.struct || depth > maxDepth || isEndpoint(btf, typeId, type)) {
    const size = sizeOf(btf, typeId);
    const { fields } = found;
    if (size > 0) fields.push({ name, offset, size, ...readingOf(btf, typeId, type) });
    if (fields.length > maxFields) throw new Error(`a struct has more than ${maxFields} members`);
    return;
  }
  const hasBitFields = btf.data.readUInt32LE(type.at + 4) >>> 31 === 1;
  for (let i = 0; i < type.count; i++) {
    const at = type.at + HEADER_TYPE_SIZE + 12 * i;
    const member = stringAt(btf, btf.data.readUInt32LE(at));
    const bits = btf.data.readUInt32LE(at + 8);
    if (hasBitFields && bits >>> 24 !== 0) throw new Error(`member "${member}" is a bit-field`);
    const joined = [name, member].filter((part) => part !== '').join('_');
    const place = offset + (hasBitFields ? bits & 0xffffff : bits) / 8;
    collectFields(btf, btf.data.readUInt32LE(at + 4), joined, place, depth + 1, found);
  }
}

/** The sizes of numbers that can be read. */
const numberSizes = [1, 2, 4, 8];
const INT_SIGNED = 1;

const endpointMembers = 'family 0 2, port 2 2, address 4 16';

function isEndpoint(btf: Btf, typeId: number, type: Type): boolean {
  if (stringAt(btf, btf.data.readUInt32LE(type.at)) !== 'endpoint') return false;
  const members = membersOf(btf, typeId).map(({ name, offset, size }) => `${name} ${offset} ${size}`);
  return members.join(', ') === endpointMembers;
}

function readingOf(btf: Btf, typeId: number, type: Type | undefined): Pick<Field, 'kind' | 'names'> {
  if (type === undefined) return { kind: 'bytes' };
  if (type.kind === Kind.struct) return { kind: isEndpoint(btf, typeId, type) ? 'endpoint' : 'bytes' };
  if (type.kind === Kind.pointer) return { kind: 'unsigned' };
  if (type.kind === Kind.array)
    return { kind: isChar(btf, btf.data.readUInt32LE(type.at + HEADER_TYPE_SIZE)) ? 'text' : 'bytes' };
  if (!numberSizes.includes(type.sizeOrType)) return { kind: 'bytes' };
  if (type.kind === Kind.int) {
    const encoding = btf.data.readUInt32LE(type.at + HEADER_TYPE_SIZE) >>> 24;
    return { kind: encoding & INT_SIGNED ? 'signed' : 'unsigned' };
  }
  if (type.kind !== Kind.enum && type.kind !== Kind.enum64) return { kind: 'bytes' };
  const signed = btf.data.readUInt32LE(type.at + 4) >>> 31 === 1;
  return { kind: signed ? 'signed' : 'unsigned', names: namesOf(btf, type, signed) };
}

/** `char` itself, also by another name, and not the signed and unsigned char that small numbers are. */
function isChar(btf: Btf, typeId: number): boolean {
  const type = resolve(btf, typeId);
  return type?.kind === Kind.int && stringAt(btf, btf.data.readUInt32LE(type.at)) === 'char';
}

function namesOf(btf: Btf, type: Type, signed: boolean): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const wide = type.kind === Kind.enum64;
  for (let i = 0; i < Math.min(type.count, maxNames); i++) {
    const at = type.at + HEADER_TYPE_SIZE + (wide ? 12 : 8) * i;
    const low = btf.data.readUInt32LE(at + 4);
    const bits = wide ? (BigInt(btf.data.readUInt32LE(at + 8)) << 32n) | BigInt(low) : BigInt(low);
    const value = String(signed ? BigInt.asIntN(wide ? 64 : 32, bits) : bits);
    if (!names.has(value)) names.set(value, stringAt(btf, btf.data.readUInt32LE(at)));
  }
  return names;
}

/** The variables of a data section such as `.rodata`. */
export function variablesOf(btf: Btf, section: string): Member[] {
  for (let id = 1; id < btf.offsets.length; id++) {
    const type = typeAt(btf, id);
    if (type?.kind !== Kind.dataSection || stringAt(btf, btf.data.readUInt32LE(type.at)) !== section)
      continue;
    return Array.from({ length: type.count }, (_, i) => {
      const at = type.at + HEADER_TYPE_SIZE + 12 * i;
      const variable = typeAt(btf, btf.data.readUInt32LE(at));
      return {
        name: variable ? stringAt(btf, btf.data.readUInt32LE(variable.at)) : '',
        offset: btf.data.readUInt32LE(at + 4),
        size: btf.data.readUInt32LE(at + 8),
        signed: variable !== undefined && isSigned(btf, variable.sizeOrType),
      };
    });
  }
  return [];
}

/** BTF_INT_SIGNED of an int's encoding, in the bits above its width. */
function isSigned(btf: Btf, id: number): boolean {
  const type = resolve(btf, id);
  return type?.kind === Kind.int && (btf.data.readUInt32LE(type.at + HEADER_TYPE_SIZE) & SIGNED) !== 0;
}

interface Type {
  at: number;
  kind: number;
  count: number;
  /** Size, or the id of the type referred to. */
  sizeOrType: number;
}

function typeAt(btf: Btf, id: number): Type | undefined {
  const at = btf.offsets[id];
  if (id === 0 || at === undefined) return undefined;
  const info = btf.data.readUInt32LE(at + 4);
  return { at, kind: (info >> 24) & 0x1f, count: info & 0xffff, sizeOrType: btf.data.readUInt32LE(at + 8) };
}

/** Follows typedefs and qualifiers, which a hostile object may have made a circle of. */
function resolve(btf: Btf, id: number): Type | undefined {
  let type = typeAt(btf, id);
  for (let depth = 0; type && depth < maxDepth; depth++) {
    if (
      ![Kind.typedef, Kind.volatile, Kind.const, Kind.restrict, Kind.typeTag].some(
        (kind) => kind === type?.kind,
      )
    )
      return type;
    type = typeAt(btf, type.sizeOrType);
  }
  return undefined;
}

function sizeOf(btf: Btf, id: number, depth = 0): number {
  const type = resolve(btf, id);
  if (!type || depth > maxDepth) return 0;
  if (type.kind === Kind.pointer) return 8;
  if (type.kind !== Kind.array) return type.sizeOrType;
  const element = btf.data.readUInt32LE(type.at + HEADER_TYPE_SIZE);
  return btf.data.readUInt32LE(type.at + HEADER_TYPE_SIZE + 8) * sizeOf(btf, element, depth + 1);
}

function stringAt(btf: Btf, offset: number): string {
  const start = btf.strings + offset;
  const end = btf.data.indexOf(0, start);
  return btf.data.toString('utf8', start, end < 0 ? btf.data.length : end);
}
