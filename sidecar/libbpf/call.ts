import ref from '@2060.io/ref-napi';
import ffi from 'ffi-napi';
import bindings from 'ffi-napi/lib/bindings.js';

/** A C pointer as a number: user-space addresses stay below 2^53. 0 is NULL. */
export type Pointer = number;

/** What the C types that we use are in TypeScript. A `buffer` is the address of a Buffer's first byte. */
interface Native {
  void: undefined;
  int: number;
  uint32: number;
  uint64: number;
  pointer: Pointer;
  buffer: Buffer | null;
  string: string;
}
type Type = keyof Native;
type Signature = readonly [result: Exclude<Type, 'buffer' | 'string'>, parameters: readonly Type[]];
type Arguments<P extends readonly Type[]> = { -readonly [I in keyof P]: Native[P[I]] };
type NativeFunction<S extends Signature> = (...args: Arguments<S[1]>) => Native[S[0]];

/** As libffi names them; pointers and strings are passed as numbers, which are as wide. */
const ffiTypes: Record<Type, string> = {
  void: 'void',
  int: 'int',
  uint32: 'uint32',
  uint64: 'uint64',
  pointer: 'uint64',
  buffer: 'uint64',
  string: 'uint64',
};

const wordSize = 8;

/**
 * Opens a shared library, `null` for what is already loaded, and gives its functions.
 *
 * ffi-napi's own Library makes several Buffers for each call and remembers the address of each one for good,
 * about 100 bytes a call. Here each function has its storage once and for all, so that a call leaves nothing
 * behind. A function must therefore not be called again from a callback out of itself.
 */
export function openLibrary<const T extends Record<string, Signature>>(
  file: string | null,
  signatures: T,
): { [F in keyof T]: NativeFunction<T[F]> } {
  // ffi-napi's declarations do not know that null means the process itself.
  const library = ffi.DynamicLibrary(file as never);
  const functions = Object.entries(signatures).map(([name, signature]) => [
    name,
    bind(library.get(name), signature),
  ]);
  return Object.fromEntries(functions);
}

/** A function for C to call; it must be referenced for as long as C may call it, and never throw. */
export function callback(parameters: readonly Type[], action: (...args: number[]) => number): Buffer {
  const types = parameters.map((type) => ffiTypes[type]);
  return ffi.Callback('int', types as never, action as never);
}

/** The address of a buffer's first byte. The caller keeps the buffer alive for as long as C may use it. */
export function addressOf(buffer: Buffer): Pointer {
  let base = bases.get(buffer.buffer);
  if (base === undefined) {
    base = ref.address(buffer) - buffer.byteOffset;
    bases.set(buffer.buffer, base);
  }
  return base + buffer.byteOffset;
}

/**
 * Keeps buffers alive whose addresses are in other ones, until it is called again: to be called before the call
 * into C that follows the addresses.
 */
export function keepAlive(...buffers: Buffer[]): void {
  kept.splice(0, kept.length, ...buffers);
}

const kept: Buffer[] = [];

/** ref-napi forgets a block of memory only when it was asked for its address once. */
const bases = new WeakMap<ArrayBufferLike, Pointer>();

function bind(fn: Buffer, [result, parameters]: Signature): (...args: unknown[]) => number | undefined {
  const coerce = (type: Type) => ref.coerceType(ffiTypes[type]);
  const cif = ffi.CIF(coerce(result), parameters.map(coerce));
  const words = Buffer.alloc(wordSize * (parameters.length + 1));
  const values = Buffer.alloc(wordSize * (parameters.length + 1));
  for (let i = 0; i < parameters.length; i++)
    values.writeBigUInt64LE(BigInt(addressOf(words) + wordSize * i), wordSize * i);
  const returned = Buffer.alloc(wordSize);
  /** Keeps what C is given alive during the call, in which a callback may collect garbage. */
  const given: unknown[] = [];

  return (...args) => {
    for (let i = 0; i < parameters.length; i++)
      writeArgument(words, wordSize * i, parameters[i]!, args[i], given);
    bindings.ffi_call(cif, fn, returned, values);
    given.length = 0;
    return readResult(returned, result);
  };
}

function writeArgument(words: Buffer, at: number, type: Type, value: unknown, given: unknown[]): void {
  if (type === 'int') words.writeInt32LE(value as number, at);
  else if (type === 'uint32') words.writeUInt32LE(value as number, at);
  else if (type === 'buffer' || type === 'string') {
    const buffer = typeof value === 'string' ? Buffer.from(`${value}\0`) : (value as Buffer | null);
    given.push(buffer);
    writeWord(words, at, buffer === null ? 0 : addressOf(buffer));
  } else writeWord(words, at, value as number);
}

function writeWord(words: Buffer, at: number, value: number): void {
  words.writeUInt32LE(value % 2 ** 32, at);
  words.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function readResult(returned: Buffer, type: Signature[0]): number | undefined {
  if (type === 'void') return undefined;
  if (type === 'int') return returned.readInt32LE();
  if (type === 'uint32') return returned.readUInt32LE();
  return returned.readUInt32LE() + returned.readUInt32LE(4) * 2 ** 32;
}
