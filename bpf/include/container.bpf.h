/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which container of the pod an event belongs to: the id that the `cgroup` decoder turns into its name. */
#ifndef BPF_SIDECAR_CONTAINER_H
#define BPF_SIDECAR_CONTAINER_H

#include "cgroup.bpf.h"

/* The level of container cgroups, one below the pod cgroup. The sidecar sets it before loading. */
const volatile int container_level = 0;

/* The id of the container cgroup that a cgroup is in. */
static __always_inline __u64 cgroup_container(struct cgroup *cgroup) {
    return cgroup_at_level(cgroup, container_level)->kn->id;
}

static __always_inline __u64 current_container(void) {
    return cgroup_container(current_cgroup());
}

static __always_inline __u64 tcp_sock_container(struct tcp_sock *sk) {
    return cgroup_container(tcp_sock_cgroup(sk));
}

static __always_inline __u64 skb_container(struct __sk_buff *skb) {
    return bpf_skb_ancestor_cgroup_id(skb, container_level);
}

#endif
