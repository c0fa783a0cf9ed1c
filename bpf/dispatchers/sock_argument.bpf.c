// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Subject: the socket that the event is about, given as an argument of the hook, else that of a packet which
 * is one. Such events come in soft interrupts, where any task may be current.
 */
#include "dispatch.bpf.h"

/* Which argument is a socket and which a packet; -1 is none. */
const volatile int sock = 0;
const volatile int skb = -1;

/* States of include/net/tcp_states.h in which a `struct sock *` is one of the small stand-ins without a
 * cgroup. */
enum tcp_state {
    TCP_TIME_WAIT = 6,
    TCP_NEW_SYN_RECV = 12,
};

static __always_inline struct pod *pod_of_sock(struct sock *sk) {
    if (!sk)
        return NULL;
    unsigned char state = GET(TYPED, sk, __sk_common.skc_state);
    if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
        return NULL;
    if (TYPED_SOCK_CGROUP) {
        struct cgroup *cgroup = GET(TYPED, sk, sk_cgrp_data.cgroup);
        return cgroup ? observed_pod(TYPED, cgroup) : NULL;
    }
    struct cgroup *cgroup = tagged_sock_cgroup(sk);
    return cgroup ? observed_pod(false, cgroup) : NULL;
}

static __always_inline struct pod *pod_of_skb(struct sk_buff *packet) {
    return packet ? pod_of_sock(GET(TYPED, packet, sk)) : NULL;
}

/* The offset into the context must be a constant to the verifier, so each has a branch of its own. */
#define TRY_SOCK(index)                                                                                      \
    if (sock == index)                                                                                       \
        pod = pod_of_sock((struct sock *)ARGUMENT(ctx, index));
#define TRY_SKB(index)                                                                                       \
    if (skb == index)                                                                                        \
        pod = pod_of_skb((struct sk_buff *)ARGUMENT(ctx, index));

SEC("raw_tp")
int dispatch_sock_argument(__u64 *ctx) {
    struct pod *pod = NULL;
    TRY_SOCK(0)
    TRY_SOCK(1)
    TRY_SOCK(2)
    TRY_SOCK(3)
    if (!pod) {
        TRY_SKB(0)
        TRY_SKB(1)
        TRY_SKB(2)
        TRY_SKB(3)
    }
    return dispatch(ctx, pod);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
