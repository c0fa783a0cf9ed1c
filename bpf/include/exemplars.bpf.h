/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Exemplars of a histogram: the last event of each bucket, with who it was. `EXEMPLARS(name, key, entries)`
 * makes the map that `exemplars: <name>` in a metric spec reads, and `keep_exemplar` puts an event into it:
 *
 *     observe(stats->latency, LATENCY_BUCKETS, bucket, ns);
 *     keep_exemplar(latency_exemplars, key, bucket, ns);
 *
 * `keep_exemplar_of` also says whom the socket of the event leads to, as the label `peer`:
 *
 *     keep_exemplar_of(latency_exemplars, key, bucket, ns, sk);
 *
 * A map with another value is as good: any struct with the u64 `value`, as it is added to the histogram's
 * sum, and the u64 `time` of bpf_ktime_get_ns. Its other members become the exemplar's labels.
 */
#ifndef BPF_SIDECAR_EXEMPLARS_H
#define BPF_SIDECAR_EXEMPLARS_H

#include "endpoint.bpf.h"
#include "kernel.bpf.h"

struct exemplar {
    __u64 value;
    __u64 time;
    __u32 pid;
    char comm[16];
    struct endpoint peer;
};

/* `key_type` is that of the histogram's map. The map forgets the events of what had none for longest. */
#define EXEMPLARS(name, key_type, entries)                                                                   \
    struct name##_key {                                                                                      \
        key_type series;                                                                                     \
        __u64 bucket;                                                                                        \
    };                                                                                                       \
    struct {                                                                                                 \
        __uint(type, BPF_MAP_TYPE_LRU_HASH);                                                                 \
        __uint(max_entries, entries);                                                                        \
        __type(key, struct name##_key);                                                                      \
        __type(value, struct exemplar);                                                                      \
    } name SEC(".maps")

/* Keeps an event of the current task. The entry is replaced as a whole: no scrape sees half of it. */
#define keep_exemplar(map, series_key, bucket_index, observed)                                               \
    keep_exemplar_of(map, series_key, bucket_index, observed, (const struct sock *)0)

#define keep_exemplar_of(map, series_key, bucket_index, observed, socket)                                    \
    do {                                                                                                     \
        struct map##_key place__;                                                                            \
        struct exemplar last__;                                                                              \
        __builtin_memset(&place__, 0, sizeof(place__));                                                      \
        __builtin_memset(&last__, 0, sizeof(last__));                                                        \
        place__.series = (series_key);                                                                       \
        place__.bucket = (bucket_index);                                                                     \
        last__.value = (observed);                                                                           \
        last__.time = bpf_ktime_get_ns();                                                                    \
        last__.pid = bpf_get_current_pid_tgid() >> 32;                                                       \
        bpf_get_current_comm(&last__.comm, sizeof(last__.comm));                                             \
        read_peer(&last__.peer, (socket));                                                                   \
        bpf_map_update_elem(&(map), &place__, &last__, BPF_ANY);                                             \
    } while (0)

#endif
