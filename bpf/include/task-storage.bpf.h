/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Something kept for each thread from the beginning of a call to its end, in a map of
 * BPF_MAP_TYPE_TASK_STORAGE whose value begins with a struct begun. Where the kernel has no such maps the
 * sidecar makes it an LRU hash by thread id, in which an id may come again.
 */
#ifndef BPF_SIDECAR_TASK_STORAGE_H
#define BPF_SIDECAR_TASK_STORAGE_H

#include "uncounted.bpf.h"

/*
 * Since 4cf1bc1f1045 ("bpf: Implement task local storage", Linux 5.11), and for tracing programs since
 * a10787e6d58c (5.12). A constant to the verifier, which leaves out what is not for the running kernel.
 */
#define HAS_TASK_STORAGE bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_TASK_STORAGE)

struct begun {
    /* 0 when the thread is in no call that counts. */
    __u64 ns;
    /* Tells a thread from one that had its id before; not used in task storage. */
    __u64 thread_start;
};

/* When the current thread started. */
static __always_inline __u64 thread_start(void) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    return BPF_CORE_READ(task, start_time);
}

/* The current thread's value, made where it has none: from `fresh` or, in task storage, of zeros. */
static __always_inline void *make_for_current(void *map, const void *fresh) {
    if (HAS_TASK_STORAGE)
        return bpf_task_storage_get(map, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    int thread = bpf_get_current_pid_tgid();
    bpf_map_update_elem(map, &thread, fresh, BPF_ANY);
    return bpf_map_lookup_elem(map, &thread);
}

/* The current thread's value, or that of one that had its id before; NULL when there is none. */
static __always_inline void *find_of_current(void *map) {
    if (HAS_TASK_STORAGE)
        return bpf_task_storage_get(map, bpf_get_current_task_btf(), NULL, 0);
    int thread = bpf_get_current_pid_tgid();
    return bpf_map_lookup_elem(map, &thread);
}

/* Keeps what is known of a call that begins: `call` begins a value of the map, of `size` bytes. */
static __always_inline void begin_call(void *map, struct begun *call, __u32 size) {
    if (!HAS_TASK_STORAGE)
        call->thread_start = thread_start();
    struct begun *kept = make_for_current(map, call);
    if (!kept) {
        count_uncounted();
        return;
    }
    __builtin_memcpy(kept, call, size);
    kept->ns = bpf_ktime_get_ns();
}

/* What was kept of the call that ends, and how long it took; NULL when its beginning was not seen. */
static __always_inline void *end_call(void *map, __u64 *ns) {
    struct begun *call = find_of_current(map);
    if (!call || !call->ns || (!HAS_TASK_STORAGE && call->thread_start != thread_start()))
        return NULL;
    *ns = bpf_ktime_get_ns() - call->ns;
    call->ns = 0;
    return call;
}

#endif
