// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Subject: a task that the event is about, given as an argument of the tracepoint. On a wake-up the current
 * task is the one that wakes, or whoever was interrupted. Where there are two (sched_switch: the task that
 * leaves and the one that comes), the event belongs to the pod of the first, else to that of the second.
 */
#include "dispatch.bpf.h"

/* Which arguments are tasks; -1 is none. */
const volatile int first_task = 0;
const volatile int second_task = -1;

/* The offset into the context must be a constant to the verifier, so each has a branch of its own. */
#define DISPATCH_ARGUMENT(which, index)                                                                      \
    if (which == index) {                                                                                    \
        struct task_struct *task = (struct task_struct *)ctx[index];                                         \
        dispatch(ctx, task->cgroups->dfl_cgrp);                                                              \
    }

SEC("tp_btf/sched_wakeup")
int dispatch_task_argument(__u64 *ctx) {
    DISPATCH_ARGUMENT(first_task, 0)
    DISPATCH_ARGUMENT(first_task, 1)
    DISPATCH_ARGUMENT(first_task, 2)
    DISPATCH_ARGUMENT(first_task, 3)
    DISPATCH_ARGUMENT(second_task, 1)
    DISPATCH_ARGUMENT(second_task, 2)
    DISPATCH_ARGUMENT(second_task, 3)
    return verdict;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
