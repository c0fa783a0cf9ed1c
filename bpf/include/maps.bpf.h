/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Aggregating in maps: find or make an entry, add to counters, observe into histograms. */
#ifndef BPF_SIDECAR_MAPS_H
#define BPF_SIDECAR_MAPS_H

#include "kernel.bpf.h"

/* Atomic also on per-CPU values: a program can be preempted between load and store. */
#define add(counter, n) __sync_fetch_and_add(&(counter), (n))

/* The entry of a key, made from `zero` when it is new; NULL when the map is full. */
static __always_inline void *find_or_make(void *map, const void *key, const void *zero) {
    void *value = bpf_map_lookup_elem(map, key);
    if (value)
        return value;
    bpf_map_update_elem(map, key, zero, BPF_NOEXIST);
    return bpf_map_lookup_elem(map, key);
}

/* The smallest k with value <= 2^k: a value equal to a bucket's upper bound belongs to that bucket. */
static __always_inline __u32 ceil_log2(__u64 value) {
    __u32 k = 0;
    if (value <= 1)
        return 0;
    value--;
#pragma unroll
    for (int shift = 32; shift; shift >>= 1) {
        if (value >> shift) {
            value >>= shift;
            k += shift;
        }
    }
    return k + 1;
}

/* The same for powers of four, for histograms of half as many buckets. */
static __always_inline __u32 ceil_log4(__u64 value) {
    return (ceil_log2(value) + 1) / 2;
}

/*
 * A histogram in an entry: `buckets` counts, the sum of the observed values, and the count of those above
 * the last bound. `value: <member>` in a metric spec reads it.
 */
#define HISTOGRAM(name, buckets) __u64 name[(buckets) + 2]

static __always_inline void observe(__u64 *histogram, __u32 buckets, __u32 bucket, __u64 value) {
    add(histogram[bucket < buckets ? bucket : buckets + 1], 1);
    add(histogram[buckets], value);
}

#endif
