/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Something kept for each task, in a hash by the task's address. It is preallocated, and no task storage, for
 * where memory cannot be had: under the locks of the scheduler, or in a page fault. The values begin with the
 * task's start time, which tells it from an earlier one in the same place of memory.
 */
#ifndef BPF_SIDECAR_TASKS_H
#define BPF_SIDECAR_TASKS_H

#include "kernel.bpf.h"

#define TASKS(name, kept, tasks)                                                                             \
    struct {                                                                                                 \
        __uint(type, BPF_MAP_TYPE_HASH);                                                                     \
        __uint(max_entries, tasks);                                                                          \
        __type(key, __u64);                                                                                  \
        __type(value, kept);                                                                                 \
    } name SEC(".maps")

/* What is kept of the task at an address; NULL when nothing is, or only of an earlier one there. */
static __always_inline void *find_task(void *map, __u64 address, __u64 start_time) {
    __u64 *kept = bpf_map_lookup_elem(map, &address);
    return kept && *kept == start_time ? kept : NULL;
}

#endif
