// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * System calls of the pod, by container and system call: how many returned, how many of those with which
 * error, and how long they took. A call counts when its entry was seen as well; exit and exit_group never
 * return, and the second return of fork, in the child, is no call of its own.
 */
#include "container.bpf.h"
#include "maps.bpf.h"
#include "task-storage.bpf.h"

#define MAX_ERRNO 4095

/* Powers of four from 1 us to 16.8 s: what the tail looks like at 13 series a system call, not 25. */
#define DURATION_BUCKETS 13

struct call {
    struct begun begun;
    __u32 number;
    __u32 padding;
};

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct call);
} calls SEC(".maps");

struct syscall_key {
    __u64 container;
    __u32 number;
    __u32 padding;
};

struct syscall_stats {
    __u64 calls;
    HISTOGRAM(duration, DURATION_BUCKETS);
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, struct syscall_key);
    __type(value, struct syscall_stats);
} syscalls SEC(".maps");

struct error_key {
    __u64 container;
    __u32 number;
    __u32 error;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, struct error_key);
    __type(value, __u64);
} errors SEC(".maps");

static const struct syscall_stats no_calls;

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long number) {
    struct call entered = {.number = number};
    begin_call(&calls, &entered.begun, sizeof(entered));
    return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result) {
    __u64 ns;
    struct call *call = end_call(&calls, &ns);
    if (!call)
        return 0;

    struct syscall_key key = {.container = current_container(), .number = call->number};
    struct syscall_stats *stats = find_or_make(&syscalls, &key, &no_calls);
    if (!stats) {
        count_uncounted();
        return 0;
    }
    add(stats->calls, 1);
    observe(stats->duration, DURATION_BUCKETS, ceil_log4((ns + 999) / 1000), ns);

    if (result < 0 && result >= -MAX_ERRNO) {
        struct error_key error = {.container = key.container, .number = key.number, .error = -result};
        count_in(&errors, &error, 1);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
