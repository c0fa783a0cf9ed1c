/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where a socket leads to, as one label: `192.0.2.1:443`, `[2001:db8::1]:443`; empty while the family is 0.
 */
#ifndef BPF_SIDECAR_ENDPOINT_H
#define BPF_SIDECAR_ENDPOINT_H

#include "kernel.bpf.h"

#define ENDPOINT_IPV4 2  /* AF_INET */
#define ENDPOINT_IPV6 10 /* AF_INET6 */

/* Its name and members tell the sidecar what it is, wherever it is in a key or an exemplar. */
struct endpoint {
    __u16 family;
    /* In network order, as is the address, of which IPv4 takes the first 4 bytes. */
    __be16 port;
    __u8 address[16];
};

/* The other end of a kernel's socket; left alone for a socket that is no internet socket, or none. */
static __always_inline void read_peer(struct endpoint *peer, const struct sock *sock) {
    __u16 family;
    if (!sock)
        return;
    family = BPF_CORE_READ(sock, __sk_common.skc_family);
    if (family == ENDPOINT_IPV4)
        bpf_core_read(&peer->address, 4, &sock->__sk_common.skc_daddr);
    else if (family == ENDPOINT_IPV6)
        bpf_core_read(&peer->address, sizeof(peer->address), &sock->__sk_common.skc_v6_daddr);
    else
        return;
    peer->family = family;
    peer->port = BPF_CORE_READ(sock, __sk_common.skc_dport);
}

#endif
