/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The headers of a packet, for programs on cgroup_skb, where a packet begins with its IP header. */
#ifndef BPF_SIDECAR_PACKET_H
#define BPF_SIDECAR_PACKET_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include "kernel.bpf.h"

#define ALLOW                 1
#define MAX_EXTENSION_HEADERS 6

struct headers {
    __u8 family;
    __u8 protocol;
    /* Where the transport header begins. */
    __u32 transport;
};

/* The same length, of 1 to `max`, a power of two, which the verifier then knows. */
static __always_inline __u32 bounded(__u32 length, __u32 max) {
    barrier_var(length);
    return ((length - 1) & (max - 1)) + 1;
}

static __always_inline bool is_extension_header(__u8 protocol) {
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS;
}

static __always_inline bool parse_ipv6(struct __sk_buff *skb, struct headers *headers) {
    struct ipv6hdr ip;
    if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
        return false;
    headers->protocol = ip.nexthdr;
    headers->transport = sizeof(ip);
    for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
        struct ipv6_opt_hdr extension;
        bool fragment = headers->protocol == IPPROTO_FRAGMENT;
        if (!fragment && !is_extension_header(headers->protocol))
            break;
        if (bpf_skb_load_bytes(skb, headers->transport, &extension, sizeof(extension)))
            return false;
        headers->protocol = extension.nexthdr;
        headers->transport += fragment ? 8 : (extension.hdrlen + 1) * 8;
    }
    return true;
}

static __always_inline bool parse_ipv4(struct __sk_buff *skb, struct headers *headers) {
    /* Without a helper call: the kernel has brought the header of IP into one piece when it comes to the
     * hook. */
    struct iphdr *ip = (void *)(long)skb->data;
    if ((void *)(ip + 1) > (void *)(long)skb->data_end)
        return false;
    headers->protocol = ip->protocol;
    headers->transport = ip->ihl * 4;
    return true;
}

static __always_inline bool parse(struct __sk_buff *skb, struct headers *headers) {
    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        headers->family = 4;
        return parse_ipv4(skb, headers);
    }
    headers->family = 6;
    return parse_ipv6(skb, headers);
}

#endif
