// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Subject: the current task. For tp_btf, raw_tp and tracepoint hooks that run in task context, where the
 * sidecar sets type and target before loading.
 */
#include "dispatch.bpf.h"

SEC("raw_tp")
int dispatch_task(void *ctx) {
    return dispatch(ctx, current_cgroup());
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
