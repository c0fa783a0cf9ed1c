// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Subject: the socket that the event is about, given as an argument of the tracepoint or as that of a packet
 * which is one. Such events come in soft interrupts, where any task may be current.
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

static __always_inline void dispatch_sock(void *ctx, struct sock *sk) {
    if (!sk)
        return;
    unsigned char state = sk->__sk_common.skc_state;
    if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
        return;
    struct cgroup *cgroup = sk->sk_cgrp_data.cgroup;
    if (cgroup)
        dispatch(ctx, cgroup);
}

#define DISPATCH_SOCK(index)                                                                                 \
    if (sock == index)                                                                                       \
        dispatch_sock(ctx, (struct sock *)ctx[index]);
#define DISPATCH_SKB(index)                                                                                  \
    if (skb == index) {                                                                                      \
        struct sk_buff *packet = (struct sk_buff *)ctx[index];                                               \
        if (packet)                                                                                          \
            dispatch_sock(ctx, packet->sk);                                                                  \
    }

SEC("tp_btf/tcp_retransmit_skb")
int dispatch_sock_argument(__u64 *ctx) {
    DISPATCH_SOCK(0)
    DISPATCH_SOCK(1)
    DISPATCH_SOCK(2)
    DISPATCH_SOCK(3)
    DISPATCH_SKB(0)
    DISPATCH_SKB(1)
    DISPATCH_SKB(2)
    return verdict;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
