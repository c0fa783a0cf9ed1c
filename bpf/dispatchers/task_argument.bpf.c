// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Subject: a task that the event is about, given as an argument of the hook. On a wake-up the current task is
 * the one that wakes, or whoever was interrupted.
 *
 * An event may be about two tasks (sched_switch: the one that leaves and the one that comes), and then two
 * such dispatchers stand on the hook. An event that is about a pod twice comes to it once.
 */
#include "dispatch.bpf.h"

/* Which argument is the task. */
const volatile int task = 0;
/* The argument that is another dispatcher's, to which events of the same pod are left; -1 is none. */
const volatile int unless_task = -1;

static __always_inline struct pod *pod_of_task(__u64 pointer) {
    struct task_struct *subject = (struct task_struct *)pointer;
    /* sched_pi_setprio has no second task where nobody lends its priority. */
    if (!subject)
        return NULL;
    struct css_set *cgroups = GET(TYPED, subject, cgroups);
    return observed_pod(TYPED, GET(TYPED, cgroups, dfl_cgrp));
}

/* The offset into the context must be a constant to the verifier, so each has a branch of its own. */
#define POD_OF_TASK(which)                                                                                   \
    (which == 0   ? pod_of_task(ARGUMENT(ctx, 0))                                                            \
     : which == 1 ? pod_of_task(ARGUMENT(ctx, 1))                                                            \
     : which == 2 ? pod_of_task(ARGUMENT(ctx, 2))                                                            \
                  : pod_of_task(ARGUMENT(ctx, 3)))

SEC("raw_tp")
int dispatch_task_argument(__u64 *ctx) {
    struct pod *pod = POD_OF_TASK(task);
    if (pod && unless_task >= 0) {
        struct pod *other = POD_OF_TASK(unless_task);
        if (other && other->slot == pod->slot)
            return verdict;
    }
    return dispatch(ctx, pod);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
