// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Subject: the task that an iterator is at; at the end there is none, and the pod's program is told so. */
#include "dispatch.bpf.h"

/* As all contexts of iterators over tasks, and over what tasks have, begin (struct bpf_iter__task). */
struct iteration {
    void *meta;
    struct task_struct *task;
};

SEC("iter/task")
int dispatch_iterated_task(struct iteration *ctx) {
    struct task_struct *task = ctx->task;
    if (!task) {
        /* No task tells the slot, but this dispatcher is one pod's own. A call of an empty slot comes back.
         */
        for (int slot = 0; slot < SLOTS; slot++)
            bpf_tail_call(ctx, &programs, slot);
        return verdict;
    }
    return dispatch(ctx, observed_pod(true, task->cgroups->dfl_cgrp));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
