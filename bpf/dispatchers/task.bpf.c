// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Subject: the current task. For hooks of any tracing type that run in task context, where the sidecar sets
 * type and target before loading.
 */
#include "dispatch.bpf.h"

SEC("raw_tp")
int dispatch_task(void *ctx) {
    return dispatch(ctx, TYPED_CURRENT ? observed_pod(true, current_cgroup_typed())
                                       : observed_pod(false, current_cgroup_untyped()));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
