// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Packets by their protocol (/etc/protocols: 1 ICMP, 2 IGMP, 6 TCP, 17 UDP), on every interface of the pod.
 * It knows nothing of pods, and has no metric spec: its map becomes a counter with a label `key`.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, __u64);
} packets SEC(".maps");

SEC("socket")
int count_packets(struct __sk_buff *skb) {
    __u8 protocol = 0;
    __u64 one = 1;

    if (skb->protocol != __builtin_bswap16(ETH_P_IP) ||
        bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct iphdr, protocol), &protocol, 1))
        return 0;
    __u32 key = protocol;
    __u64 *count = bpf_map_lookup_elem(&packets, &key);
    if (count)
        __sync_fetch_and_add(count, 1);
    else if (bpf_map_update_elem(&packets, &key, &one, BPF_NOEXIST)) {
        /* Another CPU was first. */
        count = bpf_map_lookup_elem(&packets, &key);
        if (count)
            __sync_fetch_and_add(count, 1);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
