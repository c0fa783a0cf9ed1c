// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Subject: the current task, for the cgroup hooks that run in the task's own system call (connect, bind,
 * sendmsg, sock_create, sysctl, device, sockopt), where the sidecar sets type and target before loading.
 */
#define DISPATCH_IN_POD
#include "dispatch.bpf.h"

SEC("cgroup/sock_create")
int dispatch_pod_task(void *ctx) {
    return dispatch_in_pod(ctx, bpf_get_current_ancestor_cgroup_id(container_level));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
