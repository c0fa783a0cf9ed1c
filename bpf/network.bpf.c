// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Packets and bytes of the pod's sockets, as they are on the wire without the link layer. The kernel joins
 * packets of a stream into large buffers (GSO, GRO); such a buffer counts as the packets it stands for.
 */
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

struct drop_key {
    __u64 container;
    __u8 family;
    __u8 protocol;
    __u8 padding[6];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct drop_key);
    __type(value, __u64);
} drops SEC(".maps");

static const __u64 no_drops;

static __always_inline void count_drop(struct sock *sk, __u8 protocol) {
    struct drop_key key = {
        .container = sock_container(sk),
        .family = sk->__sk_common.skc_family == AF_INET ? 4 : 6,
        .protocol = protocol,
    };
    __u64 *count = find_or_make(&drops, &key, &no_drops);
    if (count)
        add(*count, 1);
    else
        count_uncounted();
}

SEC("tp_btf/udp_fail_queue_rcv_skb")
int BPF_PROG(drop_datagram, int error, struct sock *sk) {
    if (sk)
        count_drop(sk, IPPROTO_UDP);
    return 0;
}

/* Of all but TCP and UDP: those that the kernel hands to ping and raw sockets. */
SEC("tp_btf/sock_rcvqueue_full")
int BPF_PROG(drop_packet, struct sock *sk) {
    if (sk && (sk->__sk_common.skc_family == AF_INET || sk->__sk_common.skc_family == AF_INET6))
        count_drop(sk, OTHER);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
