/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A dispatcher is the program that is really attached to a hook. It finds the pod that an event belongs to
 * and tail-calls the program of that pod, which is loaded unchanged and never attached itself.
 *
 * On a global hook, where events of the whole node come by, `dispatch` looks the pod up. On a cgroup hook
 * the dispatcher is attached to one pod's cgroup, the kernel has found the pod already, and
 * `dispatch_in_pod` only leaves out the sidecar.
 */
#ifndef BPF_SIDECAR_DISPATCH_H
#define BPF_SIDECAR_DISPATCH_H

#include "cgroup.bpf.h"

#define SLOTS 1024

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, SLOTS);
    __type(key, __u32);
    __type(value, __u32);
} programs SEC(".maps");

/* What the hook wants to hear when no program of ours ran; a program type decides it. */
const volatile int verdict = 0;

#ifdef DISPATCH_IN_POD

/* The sidecar's own container cgroup, which is left out, and the level of container cgroups. */
const volatile __u64 sidecar = 0;
const volatile int container_level = 0;

static __always_inline int dispatch_in_pod(void *ctx, __u64 container) {
    if (container != sidecar)
        bpf_tail_call(ctx, &programs, 0);
    return verdict;
}

#else

/*
 * A pod on this hook. Sidecars of one node share these maps, also those of different versions: a change of
 * their layout, or of where a pod is in them, needs another `protocol` in sidecar/programs/hooks/shared.ts.
 */
struct pod {
    /* Of the pod cgroup; 0 is none. */
    __u64 id;
    /* The sidecar's own container cgroup, which is left out. */
    __u64 sidecar;
    /* Where in `programs` the pod's program is. */
    __u32 slot;
    /* Of the pod cgroup; for the sidecars that keep `pod_levels`. */
    __u32 level;
};

/*
 * A hash table in an array, which the kernel reads without a call: looking up a hash of its own takes 45 ns.
 * A pod is in one of the places from that of its id on.
 */
#define PLACES_BITS  12
#define PLACES_TRIED 4

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1 << PLACES_BITS);
    __type(key, __u32);
    __type(value, struct pod);
} pods SEC(".maps");

static __always_inline struct pod *find_pod(__u64 id) {
    __u32 place = id * 0x9E3779B97F4A7C15ULL >> (64 - PLACES_BITS);

    for (int i = 0; i < PLACES_TRIED; i++) {
        __u32 key = (place + i) & ((1 << PLACES_BITS) - 1);
        struct pod *pod = bpf_map_lookup_elem(&pods, &key);
        if (pod && pod->id == id)
            return pod;
    }
    return NULL;
}

/* Bit n is set when a pod cgroup is at level n: pods are at another depth for each QoS class. */
__u64 pod_levels = 0;

/*
 * Whether the verifier knows the types of a hook's arguments. Those of a raw tracepoint are plain numbers to
 * it, and such a dispatcher defines UNTYPED_ARGUMENTS.
 */
#ifdef UNTYPED_ARGUMENTS
#define TYPED false
#else
#define TYPED true
#endif

/* How a dispatcher reads an argument of its hook. */
#ifndef ARGUMENT
#define ARGUMENT(ctx, index) (ctx)[index]
#endif

/* The observed pod that a cgroup belongs to; NULL when there is none, or when it is the sidecar's own. */
static __always_inline struct pod *observed_pod(bool typed, struct cgroup *cgroup) {
    __u64 levels = pod_levels;
    __u64 container = 0;

    for (int i = 0; i < MAX_NESTING; i++) {
        int level = GET(typed, cgroup, level);
        /* No pod at this level or above it. */
        if (levels << (63 - (level & 63)) == 0)
            return NULL;
        struct kernfs_node *kn = GET(typed, cgroup, kn);
        __u64 id = GET(typed, kn, id);
        if (levels >> (level & 63) & 1) {
            struct pod *pod = find_pod(id);
            if (pod)
                return pod->sidecar == container ? NULL : pod;
        }
        container = id;
        struct cgroup_subsys_state *parent = GET(typed, cgroup, self.parent);
        cgroup = GET(typed, parent, cgroup);
    }
    return NULL;
}

/* Calls the program of the pod; returns only when there is none. */
static __always_inline int dispatch(void *ctx, struct pod *pod) {
    if (pod)
        bpf_tail_call(ctx, &programs, pod->slot);
    return verdict;
}

#endif
#endif
