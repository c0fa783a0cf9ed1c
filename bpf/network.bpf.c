// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Packets and bytes of the pod's sockets, as they are on the wire without the link layer. The kernel joins
 * packets of a stream into large buffers (GSO, GRO); such a buffer counts as the packets it stands for.
 */
#include <linux/errno.h>
#include <linux/udp.h>
#include "container.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "uncounted.bpf.h"

#define AF_INET  2
#define AF_INET6 10

enum direction {
    RECEIVE,
    TRANSMIT,
};

enum protocol {
    OTHER = 255,
};

struct traffic_key {
    __u64 container;
    __u8 direction;
    __u8 family; /* IP version, 4 or 6 */
    __u8 protocol;
    __u8 padding[5];
};

struct traffic {
    __u64 packets;
    __u64 bytes;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, 1024);
    __type(key, struct traffic_key);
    __type(value, struct traffic);
} network SEC(".maps");

static const struct traffic no_traffic;

/* The length of all headers of a packet, which each packet of a joined buffer has on the wire. */
static __always_inline __u32 header_length(struct __sk_buff *skb, const struct headers *headers) {
    struct tcphdr tcp;
    if (headers->protocol == IPPROTO_UDP)
        return headers->transport + sizeof(struct udphdr);
    if (headers->protocol != IPPROTO_TCP || bpf_skb_load_bytes(skb, headers->transport, &tcp, sizeof(tcp)))
        return headers->transport;
    return headers->transport + tcp.doff * 4;
}

static __always_inline __u8 known_protocol(__u8 protocol) {
    switch (protocol) {
    case IPPROTO_ICMP:
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_ICMPV6:
    case IPPROTO_SCTP:
        return protocol;
    default:
        return OTHER;
    }
}

static __always_inline int count(struct __sk_buff *skb, enum direction direction) {
    struct headers headers = {};
    if (!parse(skb, &headers))
        headers.protocol = OTHER;

    struct traffic_key key = {
        .container = skb_container(skb),
        .direction = direction,
        .family = headers.family,
        .protocol = known_protocol(headers.protocol),
    };
    struct traffic *traffic = find_or_make(&network, &key, &no_traffic);
    if (!traffic) {
        count_uncounted();
        return ALLOW;
    }

    __u32 packets = 1, repeated = 0;
    if (skb->gso_size) {
        __u32 header = header_length(skb, &headers);
        /* Buffers from outside (a virtual machine's) may come without gso_segs. */
        packets = skb->gso_segs ?: (skb->len - header + skb->gso_size - 1) / skb->gso_size;
        repeated = (packets - 1) * header;
    }
    add(traffic->packets, packets);
    add(traffic->bytes, skb->len + repeated);
    return ALLOW;
}

SEC("cgroup_skb/ingress")
int receive(struct __sk_buff *skb) {
    return count(skb, RECEIVE);
}

SEC("cgroup_skb/egress")
int transmit(struct __sk_buff *skb) {
    return count(skb, TRANSMIT);
}

/* Why a packet was dropped: a number of the kernel's own, which it has a name for, or one of these. */
enum drop_reason {
    /* The kernel's end here, and those of its subsystems begin: Open vSwitch, mac80211. */
    SUBSYSTEM = 1 << 16,
    /* Of kernels that do not tell. */
    FULL_BUFFER,
    NO_MEMORY,
};

struct drop_key {
    __u64 container;
    __u32 reason;
    __u8 family;
    __u8 protocol;
    __u8 padding[2];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct drop_key);
    __type(value, __u64);
} drops SEC(".maps");

static __always_inline void count_dropped(struct sock *sk, __u8 family, __u32 reason, __u64 packets) {
    __u16 protocol = sk->sk_protocol;
    struct drop_key key = {
        .container = sock_container(sk),
        .reason = reason,
        .family = family,
        .protocol = protocol < OTHER ? known_protocol(protocol) : OTHER,
    };
    count_in(&drops, &key, packets);
}

/*
 * Of kfree_skb: a reason since c504e5c2f964 ("net: skb: introduce kfree_skb_reason()", Linux 5.17), and the
 * socket that a packet was for since c53795d48ee8 ("net: add rx_sk to trace_kfree_skb", 6.11). Constants to
 * the verifier.
 */
#define HAS_REASON   bpf_core_field_exists(struct trace_event_raw_kfree_skb, reason)
#define HAS_RECEIVER bpf_core_field_exists(struct trace_event_raw_kfree_skb, rx_sk)

/* 0 where the socket has no packets of IP: those of Unix sockets, netlink and the like. */
static __always_inline __u8 sock_ip_version(struct sock *sk) {
    __u16 family = sk->__sk_common.skc_family;
    return family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0;
}

/* A socket of IPv6 may have packets of IPv4; one that is dropped early does not say yet what it is. */
static __always_inline __u8 ip_version(struct sk_buff *skb, __u8 of_sock) {
    if (skb->protocol == bpf_htons(ETH_P_IP))
        return 4;
    return skb->protocol == bpf_htons(ETH_P_IPV6) ? 6 : of_sock;
}

/* What a joined buffer stands for; the number is 0 in most others. */
static __always_inline __u16 packets_in(struct sk_buff *skb) {
    struct skb_shared_info *info = (void *)(skb->head + skb->end);
    return BPF_CORE_READ(info, gso_segs) ?: 1;
}

/*
 * Whether a packet is lost: the kernel also lets go of those that it has done with, of answered handshakes
 * without a reason, and with the queue of a closed connection of its last segment.
 */
static __always_inline bool is_drop(__u32 reason) {
    if (reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_NOT_SPECIFIED))
        return false;
    return !bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE) ||
           reason != bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_QUEUE_PURGE);
}

static __always_inline int drop(struct sock *sk, struct sk_buff *skb, __u32 reason) {
    __u8 of_sock = sock_ip_version(sk);
    if (of_sock && is_drop(reason))
        count_dropped(sk, ip_version(skb, of_sock), reason < SUBSYSTEM ? reason : SUBSYSTEM, packets_in(skb));
    return 0;
}

SEC("tp_btf/kfree_skb")
int drop_packet(__u64 *ctx) {
    struct sk_buff *skb = (struct sk_buff *)ctx[0];
    if (!HAS_REASON)
        return 0;
    __u32 reason = ctx[2];
    if (HAS_RECEIVER) {
        struct sock *receiver = (struct sock *)ctx[3];
        if (receiver)
            return drop(receiver, skb, reason);
    }
    struct sock *sk = skb->sk;
    return sk ? drop(sk, skb, reason) : 0;
}

/* Where kfree_skb does not tell whom a packet was for, full receive buffers do. */

SEC("tp_btf/udp_fail_queue_rcv_skb")
int BPF_PROG(drop_datagram, int error, struct sock *sk) {
    if (!HAS_RECEIVER && sk)
        count_dropped(sk, sock_ip_version(sk), error == -ENOMEM ? FULL_BUFFER : NO_MEMORY, 1);
    return 0;
}

/* Of all but TCP and UDP: those that the kernel hands to ping and raw sockets. */
SEC("tp_btf/sock_rcvqueue_full")
int BPF_PROG(drop_raw_packet, struct sock *sk) {
    if (!HAS_RECEIVER && sk && sock_ip_version(sk))
        count_dropped(sk, sock_ip_version(sk), FULL_BUFFER, 1);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
