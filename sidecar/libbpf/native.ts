import { openLibrary } from './call.ts';

/**
 * The functions of libbpf (1.0 and later) that the sidecar calls, as the shared library exports them. Strings
 * come back as pointers, see readString.
 */
export const libbpf = openLibrary('libbpf.so.1', {
  libbpf_set_print: ['pointer', ['buffer']],
  libbpf_num_possible_cpus: ['int', []],
  bpf_object__open_mem: ['pointer', ['buffer', 'uint64', 'buffer']],
  bpf_object__load: ['int', ['pointer']],
  bpf_object__close: ['void', ['pointer']],
  bpf_object__btf: ['pointer', ['pointer']],
  btf__load_vmlinux_btf: ['pointer', []],
  btf__free: ['void', ['pointer']],
  btf__find_by_name_kind: ['int', ['pointer', 'string', 'uint32']],
  btf__type_by_id: ['pointer', ['pointer', 'uint32']],
  btf__name_by_offset: ['pointer', ['pointer', 'uint32']],
  btf__raw_data: ['pointer', ['pointer', 'buffer']],
  bpf_object__next_program: ['pointer', ['pointer', 'pointer']],
  bpf_program__name: ['pointer', ['pointer']],
  bpf_program__section_name: ['pointer', ['pointer']],
  bpf_program__type: ['int', ['pointer']],
  bpf_program__set_type: ['int', ['pointer', 'int']],
  bpf_program__expected_attach_type: ['int', ['pointer']],
  bpf_program__set_expected_attach_type: ['int', ['pointer', 'int']],
  bpf_program__set_attach_target: ['int', ['pointer', 'int', 'string']],
  bpf_program__autoload: ['int', ['pointer']],
  bpf_program__set_autoload: ['int', ['pointer', 'int']],
  bpf_program__fd: ['int', ['pointer']],
  bpf_program__attach_cgroup: ['pointer', ['pointer', 'int']],
  bpf_program__attach_raw_tracepoint: ['pointer', ['pointer', 'string']],
  bpf_program__attach_trace: ['pointer', ['pointer']],
  bpf_program__attach_kprobe_multi_opts: ['pointer', ['pointer', 'string', 'buffer']],
  bpf_program__attach_usdt: ['pointer', ['pointer', 'int', 'string', 'string', 'string', 'buffer']],
  bpf_tc_hook_create: ['int', ['buffer']],
  bpf_tc_hook_destroy: ['int', ['buffer']],
  bpf_tc_attach: ['int', ['buffer', 'buffer']],
  bpf_tc_detach: ['int', ['buffer', 'buffer']],
  bpf_iter_create: ['int', ['int']],
  bpf_link__destroy: ['int', ['pointer']],
  bpf_object__next_map: ['pointer', ['pointer', 'pointer']],
  bpf_map__name: ['pointer', ['pointer']],
  bpf_map__fd: ['int', ['pointer']],
  bpf_map__type: ['int', ['pointer']],
  bpf_map__key_size: ['uint32', ['pointer']],
  bpf_map__value_size: ['uint32', ['pointer']],
  bpf_map__set_type: ['int', ['pointer', 'int']],
  bpf_map__set_map_flags: ['int', ['pointer', 'uint32']],
  bpf_map__set_max_entries: ['int', ['pointer', 'uint32']],
  libbpf_probe_bpf_map_type: ['int', ['int', 'buffer']],
  bpf_map__max_entries: ['uint32', ['pointer']],
  bpf_map__btf_key_type_id: ['uint32', ['pointer']],
  bpf_map__btf_value_type_id: ['uint32', ['pointer']],
  bpf_map__inner_map: ['pointer', ['pointer']],
  bpf_map__set_pin_path: ['int', ['pointer', 'buffer']],
  bpf_map__initial_value: ['pointer', ['pointer', 'buffer']],
  bpf_prog_test_run_opts: ['int', ['int', 'buffer']],
  bpf_link__fd: ['int', ['pointer']],
  bpf_obj_pin: ['int', ['int', 'string']],
  bpf_obj_get: ['int', ['string']],
  bpf_obj_get_info_by_fd: ['int', ['int', 'buffer', 'buffer']],
  bpf_map_update_elem: ['int', ['int', 'buffer', 'buffer', 'uint64']],
  bpf_map_delete_elem: ['int', ['int', 'buffer']],
  bpf_map_lookup_elem: ['int', ['int', 'buffer', 'buffer']],
  bpf_map_get_next_key: ['int', ['int', 'buffer', 'buffer']],
  bpf_map_get_fd_by_id: ['int', ['uint32']],
  bpf_map_lookup_and_delete_elem: ['int', ['int', 'buffer', 'buffer']],
  bpf_map_lookup_batch: ['int', ['int', 'buffer', 'buffer', 'buffer', 'buffer', 'buffer', 'buffer']],
});

export const libc = openLibrary(null, {
  __errno_location: ['pointer', []],
  capset: ['int', ['buffer', 'buffer']],
  dup: ['int', ['int']],
  dup2: ['int', ['int', 'int']],
  fcntl: ['int', ['int', 'int', 'int']],
  flock: ['int', ['int', 'int']],
  if_nameindex: ['pointer', []],
  if_freenameindex: ['void', ['pointer']],
  madvise: ['int', ['pointer', 'uint64', 'int']],
  memcpy: ['pointer', ['buffer', 'pointer', 'uint64']],
  ioctl: ['int', ['int', 'uint64', 'uint64']],
  malloc_trim: ['int', ['uint64']],
  mmap: ['pointer', ['pointer', 'uint64', 'int', 'int', 'int', 'uint64']],
  mount: ['int', ['string', 'string', 'string', 'uint64', 'buffer']],
  munmap: ['int', ['pointer', 'uint64']],
  prctl: ['int', ['int', 'uint64', 'uint64', 'uint64', 'uint64']],
  setrlimit: ['int', ['int', 'buffer']],
  setresuid: ['int', ['uint32', 'uint32', 'uint32']],
  setsockopt: ['int', ['int', 'int', 'int', 'buffer', 'uint32']],
  socket: ['int', ['int', 'int', 'int']],
  strnlen: ['uint64', ['pointer', 'uint64']],
  syscall: ['int', ['uint64', 'buffer', 'int', 'int', 'int', 'uint64']],
  vsnprintf: ['int', ['buffer', 'uint64', 'pointer', 'pointer']],
});

/** syscall again, for bpf(2). */
export const bpfCall = openLibrary(null, { syscall: ['int', ['uint64', 'int', 'buffer', 'uint32']] });

/** syscall again, for setresuid(2) as the kernel has it: of one thread. */
export const userCall = openLibrary(null, {
  syscall: ['int', ['uint64', 'uint64', 'uint64', 'uint64']],
});

/** memcpy again, for the other direction. */
export const toMemory = openLibrary(null, { memcpy: ['pointer', ['pointer', 'buffer', 'uint64']] });
