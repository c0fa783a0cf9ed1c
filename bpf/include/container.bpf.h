/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which container of the pod an event belongs to: the id that the `cgroup` decoder turns into its name. */
#ifndef BPF_SIDECAR_CONTAINER_H
#define BPF_SIDECAR_CONTAINER_H

#include "cgroup.bpf.h"

/* The level of container cgroups, one below the pod cgroup. The sidecar sets it before loading. */
const volatile int container_level = 0;

/* The ids of container cgroups: of the current task, of a task with a type, of a socket, of a packet's, of a
 * block request's. */
static __always_inline __u64 current_container(void) {
    return current_id_at_level(container_level);
}

static __always_inline __u64 task_container(struct task_struct *task) {
    return id_at_level(true, task->cgroups->dfl_cgrp, container_level);
}

static __always_inline __u64 sock_container(struct sock *sk) {
    return sock_id_at_level(sk, container_level);
}

static __always_inline __u64 tcp_sock_container(struct tcp_sock *tcp) {
    return sock_container(&tcp->inet_conn.icsk_inet.sk);
}

static __always_inline __u64 skb_container(struct __sk_buff *skb) {
    return bpf_skb_ancestor_cgroup_id(skb, container_level);
}

/* Where block I/O is charged to cgroups of v2, as it is when the program is called for the pod. */
static __always_inline __u64 request_container(struct request *request) {
    return id_at_level(true, request->bio->bi_blkg->blkcg->css.cgroup, container_level);
}

#endif
