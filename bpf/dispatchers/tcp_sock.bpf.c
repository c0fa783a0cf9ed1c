// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Subject: the TCP socket of a sock_ops event, which can come while any task is current. */
#define DISPATCH_IN_POD
#include "dispatch.bpf.h"

SEC("sockops")
int dispatch_tcp_sock(struct bpf_sock_ops *ctx) {
    struct bpf_sock *sk = ctx->sk;
    struct tcp_sock *tcp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
    if (!tcp)
        return verdict;
    return dispatch_in_pod(ctx, sock_id_at_level(&tcp->inet_conn.icsk_inet.sk, container_level));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
