// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * On-CPU samples of the pod by stack. The kernel lets the events come only while somebody asks for a profile
 * (`disabled=1`); the sidecar empties `stacks` every second meanwhile.
 */
#include "container.bpf.h"
#include "maps.bpf.h"
#include "uncounted.bpf.h"

/* Innermost first; what is further out is cut off. */
#define KERNEL_FRAMES 64
#define USER_FRAMES   64

/* What 20 CPUs can give in a second at 99 Hz, each time another stack. */
#define MAX_STACKS 2048

struct stack_key {
    __u64 container;
    __u64 hash;
    char command[16];
};

struct stack {
    __u64 samples;
    __u64 kernel[KERNEL_FRAMES];
    /* Build id and offset in the file, for the sidecar cannot see the memory of the pod's processes. */
    struct bpf_stack_build_id user[USER_FRAMES];
};

/* Preallocated, as kernels before 6.1 want it where perf events write. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, MAX_STACKS);
    __type(key, struct stack_key);
    __type(value, struct stack);
} stacks SEC(".maps");

/* The stack of the sample that a CPU is at: too large for the program's own. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct stack);
} current_stack SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, __u64);
    __type(value, __u64);
} samples SEC(".maps");

static const __u64 no_samples;

/* So long that no two stacks of a second have the same. */
static __always_inline __u64 hash_of(const struct stack *stack) {
    const __u64 *words = (const __u64 *)stack;
    __u64 hash = 0;

    for (int i = 0; i < sizeof(*stack) / sizeof(__u64); i++) {
        hash = (hash ^ words[i]) * 0x9E3779B97F4A7C15ULL;
        hash ^= hash >> 32;
    }
    return hash;
}

SEC("perf_event/type=1,config=0,frequency=99,disabled=1")
int take_sample(void *ctx) {
    __u32 zero = 0;
    struct stack *taken = bpf_map_lookup_elem(&current_stack, &zero);
    if (!taken)
        return 0;
    /* The helpers write zeros behind what they find, and zeros alone when there is nothing. */
    bpf_get_stack(ctx, taken->kernel, sizeof(taken->kernel), 0);
    bpf_get_stack(ctx, taken->user, sizeof(taken->user), BPF_F_USER_STACK | BPF_F_USER_BUILD_ID);

    struct stack_key key = {.container = current_container(), .hash = hash_of(taken)};
    bpf_get_current_comm(key.command, sizeof(key.command));
    __u64 *count = find_or_make(&samples, &key.container, &no_samples);
    struct stack *stack = find_or_make(&stacks, &key, taken);
    if (count)
        add(*count, 1);
    if (stack)
        add(stack->samples, 1);
    if (!count || !stack)
        count_uncounted();
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
