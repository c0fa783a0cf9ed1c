// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Subject: the socket that a packet comes from or goes to, for cgroup_skb hooks. */
#define DISPATCH_IN_POD
#include "dispatch.bpf.h"

SEC("cgroup_skb/ingress")
int dispatch_skb(struct __sk_buff *ctx) {
    return dispatch_in_pod(ctx, bpf_skb_ancestor_cgroup_id(ctx, container_level));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
