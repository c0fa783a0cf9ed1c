/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Something kept for each task, from one event of it to the next, in a map of BPF_MAP_TYPE_TASK_STORAGE.
 * Where the kernel has no such maps the sidecar makes it an LRU hash by thread id, in which an id may come
 * again: its value has a `__u32 thread_start`, to be compared.
 */
#ifndef BPF_SIDECAR_TASK_STORAGE_H
#define BPF_SIDECAR_TASK_STORAGE_H

#include "kernel.bpf.h"

/*
 * Since 4cf1bc1f1045 ("bpf: Implement task local storage", Linux 5.11), and for tracing programs since
 * a10787e6d58c (5.12). A constant to the verifier, which leaves out what is not for the running kernel.
 */
#define HAS_TASK_STORAGE bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_TASK_STORAGE)

/* Part of when the current thread started. */
static __always_inline __u32 thread_start(void) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    return BPF_CORE_READ(task, start_time);
}

/* The current task's value, made where it has none: from `fresh` or, in task storage, of zeros. */
static __always_inline void *make_for_current(void *map, const void *fresh) {
    if (HAS_TASK_STORAGE)
        return bpf_task_storage_get(map, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    int thread = bpf_get_current_pid_tgid();
    bpf_map_update_elem(map, &thread, fresh, BPF_ANY);
    return bpf_map_lookup_elem(map, &thread);
}

/* The current task's value, or that of one that had its id before; NULL when there is none. */
static __always_inline void *find_of_current(void *map) {
    if (HAS_TASK_STORAGE)
        return bpf_task_storage_get(map, bpf_get_current_task_btf(), NULL, 0);
    int thread = bpf_get_current_pid_tgid();
    return bpf_map_lookup_elem(map, &thread);
}

/* Whether a value that was found is the current task's own. */
static __always_inline bool is_of_current(__u32 start) {
    return HAS_TASK_STORAGE || start == thread_start();
}

#endif
