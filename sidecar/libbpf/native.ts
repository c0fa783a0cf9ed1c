import { Callback as FfiCallback, Library } from 'ffi-napi';

/** A C pointer as a number: user-space addresses stay below 2^53, so ffi-napi gives them so. 0 is NULL. */
export type Pointer = number;

const pointer = 'uint64';
const buffer = 'pointer';

/** What the C types that we use are in TypeScript. */
interface Native {
  void: undefined;
  int: number;
  uint32: number;
  uint64: number;
  size_t: number;
  string: string;
  pointer: Buffer | null;
}
type Type = keyof Native;
type Signature = readonly [result: Type, parameters: readonly Type[]];
type Parameters<P extends readonly Type[]> = { -readonly [I in keyof P]: Native[P[I]] };
type NativeFunction<S extends Signature> = (...args: Parameters<S[1]>) => Native[S[0]];

function open<const T extends Record<string, Signature>>(file: string | null, functions: T) {
  // ffi-napi's own types lose the parameters' types for pointers; these are the same facts, told strictly.
  return new Library(file, functions as never) as { [F in keyof T]: NativeFunction<T[F]> };
}

/** A function for C to call; it must be referenced for as long as C may call it, and never throw. */
export function callback<const S extends Signature>(signature: S, action: NativeFunction<S>): Buffer {
  return FfiCallback(signature[0], signature[1] as never, action as never);
}

/**
 * The functions of libbpf (1.0 and later) that the sidecar calls, as the shared library exports them. All of
 * them are for setting up, or take a batch: one call costs microseconds and leaves garbage behind that only a
 * turn of the event loop frees.
 */
export const libbpf = open('libbpf.so.1', {
  libbpf_set_print: [pointer, [buffer]],
  libbpf_num_possible_cpus: ['int', []],
  libbpf_version_string: ['string', []],
  bpf_object__open_mem: [pointer, [buffer, 'size_t', buffer]],
  bpf_object__load: ['int', [pointer]],
  bpf_object__close: ['void', [pointer]],
  bpf_object__btf: [pointer, [pointer]],
  btf__raw_data: [pointer, [pointer, buffer]],
  bpf_object__next_program: [pointer, [pointer, pointer]],
  bpf_program__name: ['string', [pointer]],
  bpf_program__section_name: ['string', [pointer]],
  bpf_program__type: ['int', [pointer]],
  bpf_program__set_type: ['int', [pointer, 'int']],
  bpf_program__expected_attach_type: ['int', [pointer]],
  bpf_program__set_expected_attach_type: ['int', [pointer, 'int']],
  bpf_program__set_attach_target: ['int', [pointer, 'int', 'string']],
  bpf_program__fd: ['int', [pointer]],
  bpf_program__attach_cgroup: [pointer, [pointer, 'int']],
  bpf_program__attach_raw_tracepoint: [pointer, [pointer, 'string']],
  bpf_program__attach_tracepoint: [pointer, [pointer, 'string', 'string']],
  bpf_program__attach_trace: [pointer, [pointer]],
  bpf_link__destroy: ['int', [pointer]],
  bpf_object__next_map: [pointer, [pointer, pointer]],
  bpf_map__name: ['string', [pointer]],
  bpf_map__fd: ['int', [pointer]],
  bpf_map__type: ['int', [pointer]],
  bpf_map__key_size: ['uint32', [pointer]],
  bpf_map__value_size: ['uint32', [pointer]],
  bpf_map__max_entries: ['uint32', [pointer]],
  bpf_map__btf_value_type_id: ['uint32', [pointer]],
  bpf_map__initial_value: [pointer, [pointer, buffer]],
  bpf_prog_test_run_opts: ['int', ['int', buffer]],
  bpf_map_update_elem: ['int', ['int', buffer, buffer, 'uint64']],
  bpf_map_lookup_elem: ['int', ['int', buffer, buffer]],
  bpf_map_lookup_batch: ['int', ['int', buffer, buffer, buffer, buffer, buffer, buffer]],
});

export const libc = open(null, {
  vsnprintf: ['int', [buffer, 'size_t', buffer, pointer]],
  mount: ['int', ['string', 'string', 'string', pointer, buffer]],
  malloc_trim: ['int', ['size_t']],
});
