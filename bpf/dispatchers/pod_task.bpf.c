// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Subject: the current task, for the cgroup hooks that run in the task's own system call (connect, bind,
 * sendmsg, sock_create, sysctl, device, sockopt), where the sidecar sets type and target before loading.
 */
#define DISPATCH_IN_POD
#include "dispatch.bpf.h"

/*
 * Whether programs of the type may ask for the ancestor of the current task, which takes one helper call: on
 * Linux 5.10 those of sysctl, device, sockopt and perf events may not.
 */
const volatile bool asks_ancestor = true;

SEC("cgroup/sock_create")
int dispatch_pod_task(void *ctx) {
    __u64 container = asks_ancestor ? bpf_get_current_ancestor_cgroup_id(container_level)
                                    : id_at_level(false, current_cgroup_untyped(), container_level);
    return dispatch_in_pod(ctx, container);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
