// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * TCP connections of the pod. The kernel calls for each socket of the pod's cgroup; connections that were
 * there before the sidecar are not seen.
 */
#include "container.bpf.h"
#include "maps.bpf.h"
#include "uncounted.bpf.h"

#define HANDLED 1
/* 1 us, 2 us, ... 8.4 s, and 67 s: a SYN is retried for longer than any round trip takes. */
#define RTT_BUCKETS     24
#define CONNECT_BUCKETS 27
/* Powers of four from 1 ms to 4.9 hours. */
#define DURATION_BUCKETS 13

/* include/net/tcp_states.h */
#define TCP_CLOSE 7

/* What has been counted of a connection so far. */
struct connection {
    __u64 connect_ns;
    /* 0 until it is established. */
    __u64 established_ns;
    __u64 sent;
    __u64 received;
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct connection);
} connections SEC(".maps");

struct tcp_stats {
    __u64 opened;
    __u64 accepted;
    __u64 closed;
    __s64 active;
    __u64 sent;
    __u64 received;
    __u64 retransmits;
    __u64 resets_sent;
    __u64 resets_received;
    HISTOGRAM(rtt, RTT_BUCKETS);
    HISTOGRAM(connect, CONNECT_BUCKETS);
    HISTOGRAM(duration, DURATION_BUCKETS);
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, __u64); /* container */
    __type(value, struct tcp_stats);
} tcp SEC(".maps");

static const struct tcp_stats no_connections;

struct failure_key {
    __u64 container;
    /* What the application is told: ECONNREFUSED, ETIMEDOUT, ...; 0 when it gave up itself. */
    __u32 error;
    __u32 padding;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct failure_key);
    __type(value, __u64);
} failures SEC(".maps");

/*
 * A connection is known from its first event on. Callback flags stay on a socket when the program goes: the
 * connections of a sidecar before this one still call, but have nothing stored here.
 */
static __always_inline struct connection *connection_of(struct bpf_sock_ops *ctx, struct bpf_sock *sk) {
    if (ctx->op != BPF_SOCK_OPS_TCP_CONNECT_CB && ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
        return bpf_sk_storage_get(&connections, sk, NULL, 0);
    struct connection *connection = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    if (!connection)
        count_uncounted();
    return connection;
}

/* Payload in order, without the one that the kernel counts for the peer's FIN. */
static __always_inline __u64 payload_received(struct tcp_sock *tcp) {
    __u64 flags = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_flags;
    __u32 done = bpf_core_enum_value(enum sock_flags, SOCK_DONE);
    return tcp->bytes_received - (flags >> done & 1);
}

static __always_inline void count_bytes(struct tcp_stats *stats, struct connection *connection,
                                        struct tcp_sock *tcp) {
    __u64 sent = tcp->bytes_sent - tcp->bytes_retrans;
    __u64 received = payload_received(tcp);
    if (sent > connection->sent) {
        add(stats->sent, sent - connection->sent);
        connection->sent = sent;
    }
    if (received > connection->received) {
        add(stats->received, received - connection->received);
        connection->received = received;
    }
}

static __always_inline void count_established(struct tcp_stats *stats, struct connection *connection) {
    connection->established_ns = bpf_ktime_get_ns();
    add(stats->active, 1);
}

static __always_inline void count_closed(struct tcp_stats *stats, struct connection *connection) {
    __u64 us = (bpf_ktime_get_ns() - connection->established_ns + 999) / 1000;
    __u64 ms = (us + 999) / 1000;
    add(stats->closed, 1);
    add(stats->active, -1);
    observe(stats->duration, DURATION_BUCKETS, ceil_log4(ms), us);
}

static __always_inline void count_failed(__u64 container, struct tcp_sock *tcp) {
    struct failure_key key = {.container = container, .error = tcp->inet_conn.icsk_inet.sk.sk_err};
    count_in(&failures, &key, 1);
}

static __always_inline void listen_to(struct bpf_sock_ops *ctx, int flags) {
    bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | flags);
}

#define OPENING (BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_RETRANS_CB_FLAG)
/* Each segment sent, be it a mere ACK, is a chance to count what was received: a long download shows while it
 * runs. */
#define ESTABLISHED (OPENING | BPF_SOCK_OPS_RTT_CB_FLAG | BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG)

SEC("sockops")
int tcp_event(struct bpf_sock_ops *ctx) {
    struct bpf_sock *sk = ctx->sk;
    if (!sk || !ctx->is_fullsock)
        return HANDLED;
    struct tcp_sock *tcp_sock = bpf_skc_to_tcp_sock(sk);
    if (!tcp_sock)
        return HANDLED;
    /* Not for a segment, but asked by how much one may hold. */
    if (ctx->op == BPF_SOCK_OPS_HDR_OPT_LEN_CB && ctx->args[0] == BPF_WRITE_HDR_TCP_CURRENT_MSS)
        return HANDLED;
    struct connection *connection = connection_of(ctx, sk);
    if (!connection)
        return HANDLED;
    /* What was sent is counted when it has arrived. */
    if (ctx->op == BPF_SOCK_OPS_HDR_OPT_LEN_CB && payload_received(tcp_sock) == connection->received)
        return HANDLED;
    __u64 container = tcp_sock_container(tcp_sock);
    struct tcp_stats *stats = find_or_make(&tcp, &container, &no_connections);
    if (!stats) {
        count_uncounted();
        return HANDLED;
    }

    switch (ctx->op) {
    case BPF_SOCK_OPS_TCP_CONNECT_CB:
        connection->connect_ns = bpf_ktime_get_ns();
        listen_to(ctx, OPENING);
        break;
    case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB: {
        __u64 us = (bpf_ktime_get_ns() - connection->connect_ns + 999) / 1000;
        add(stats->opened, 1);
        count_established(stats, connection);
        observe(stats->connect, CONNECT_BUCKETS, ceil_log2(us), us);
        listen_to(ctx, ESTABLISHED);
        break;
    }
    case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
        add(stats->accepted, 1);
        count_established(stats, connection);
        listen_to(ctx, ESTABLISHED);
        break;
    case BPF_SOCK_OPS_RTT_CB: {
        __u32 us = ctx->srtt_us >> 3;
        observe(stats->rtt, RTT_BUCKETS, ceil_log2(us), us);
        count_bytes(stats, connection, tcp_sock);
        break;
    }
    case BPF_SOCK_OPS_RETRANS_CB:
        add(stats->retransmits, ctx->args[1]);
        break;
    case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
        count_bytes(stats, connection, tcp_sock);
        break;
    case BPF_SOCK_OPS_STATE_CB:
        count_bytes(stats, connection, tcp_sock);
        if (ctx->args[1] != TCP_CLOSE)
            break;
        if (connection->established_ns)
            count_closed(stats, connection);
        else
            count_failed(container, tcp_sock);
        break;
    }
    return HANDLED;
}

static __always_inline struct tcp_stats *stats_of(struct sock *sk) {
    if (!sk)
        return NULL;
    __u64 container = sock_container(sk);
    struct tcp_stats *stats = find_or_make(&tcp, &container, &no_connections);
    if (!stats)
        count_uncounted();
    return stats;
}

/* Resets for which there is no socket, of a port where nobody listens, belong to no pod and do not come here.
 */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(send_reset, struct sock *sk) {
    struct tcp_stats *stats = stats_of(sk);
    if (stats)
        add(stats->resets_sent, 1);
    return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(receive_reset, struct sock *sk) {
    struct tcp_stats *stats = stats_of(sk);
    if (stats)
        add(stats->resets_received, 1);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
