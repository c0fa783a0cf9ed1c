/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Events that a probe saw and could not count: nothing is lost in silence. */
#ifndef BPF_SIDECAR_UNCOUNTED_H
#define BPF_SIDECAR_UNCOUNTED_H

#include "maps.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} uncounted SEC(".maps");

static __always_inline void count_uncounted(void) {
    __u32 zero = 0;
    __u64 *count = bpf_map_lookup_elem(&uncounted, &zero);
    if (count)
        add(*count, 1);
}

/* Adds to the number of a key, in a map of such numbers. */
static __always_inline void count_in(void *map, const void *key, __u64 n) {
    static const __u64 none;
    __u64 *count = find_or_make(map, key, &none);
    if (count)
        add(*count, n);
    else
        count_uncounted();
}

#endif
