import type { Pointer } from './call.ts';
import { libbpf } from './native.ts';
import { MapType } from './types.ts';

/** Threads of a pod that are in a system call, or have died in one. */
const maxThreads = 16_384;

/**
 * Makes a map of task storage, of an opened object, an LRU hash by thread id where the kernel has no task storage (before
 * Linux 5.11): a program that is written for both tells them apart as bpf/include/task-storage.bpf.h does.
 */
export function replaceTaskStorage(map: Pointer): void {
  if (libbpf.bpf_map__type(map) !== MapType.taskStorage) return;
  if (libbpf.libbpf_probe_bpf_map_type(MapType.taskStorage, null) !== 0) return;
  libbpf.bpf_map__set_type(map, MapType.lruHash);
  libbpf.bpf_map__set_map_flags(map, 0);
  libbpf.bpf_map__set_max_entries(map, maxThreads);
}
