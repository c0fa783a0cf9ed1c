// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The life of the pod's processes: forks, threads, programs that are executed, how processes end, and the
 * signals that they get, also from others.
 */
#include <linux/errno.h>
#include "container.bpf.h"
#include "maps.bpf.h"
#include "uncounted.bpf.h"

/* include/linux/sched/signal.h */
#define SIGNAL_GROUP_EXIT 4

/* The results in include/trace/events/signal.h with which a signal gets to its target. */
enum signal_result {
    TRACE_SIGNAL_DELIVERED = 0,
    TRACE_SIGNAL_LOSE_INFO = 4,
};

/* From here on signals have no names of their own. */
#define FIRST_REAL_TIME_SIGNAL 32

struct process_stats {
    __u64 forks;
    __u64 threads;
    __u64 execs;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, __u64); /* container */
    __type(value, struct process_stats);
} processes SEC(".maps");

struct number_key {
    __u64 container;
    /* An exit code or a signal. */
    __u64 number;
};

#define COUNTS(name)                                                                                         \
    struct {                                                                                                 \
        __uint(type, BPF_MAP_TYPE_HASH);                                                                     \
        __uint(max_entries, 2048);                                                                           \
        __type(key, struct number_key);                                                                      \
        __type(value, __u64);                                                                                \
    } name SEC(".maps")

COUNTS(exits);
COUNTS(kills);
COUNTS(signals);

struct ended_key {
    __u64 signal; /* address of what the threads of a process have together */
    __u64 start_time;
};

/* Processes whose end has been counted, the latest ones. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, struct ended_key);
    __type(value, __u8);
} ended SEC(".maps");

static const struct process_stats no_processes;
static const __u8 is_ended = 1;

static __always_inline struct process_stats *stats_of(struct task_struct *task) {
    __u64 container = task_container(task);
    struct process_stats *stats = find_or_make(&processes, &container, &no_processes);
    if (!stats)
        count_uncounted();
    return stats;
}

static __always_inline void count(void *map, struct task_struct *task, __u64 number) {
    struct number_key key = {.container = task_container(task), .number = number};
    count_in(map, &key, 1);
}

static __always_inline __u64 signal_class(__u64 signal) {
    return signal < FIRST_REAL_TIME_SIGNAL ? signal : FIRST_REAL_TIME_SIGNAL;
}

/* The subject is the parent, see the metric spec: a process that comes into the pod from outside is no fork
 * of its. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child) {
    struct process_stats *stats = stats_of(parent);
    if (!stats)
        return 0;
    if (child->pid == child->tgid)
        add(stats->forks, 1);
    else
        add(stats->threads, 1);
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task) {
    struct process_stats *stats = stats_of(task);
    if (stats)
        add(stats->execs, 1);
    return 0;
}

/* What wait(2) tells of a process whose last thread is ending. */
static __always_inline int status_of(struct task_struct *task) {
    struct signal_struct *process = task->signal;
    return process->flags & SIGNAL_GROUP_EXIT ? process->group_exit_code : task->group_leader->exit_code;
}

/* For each thread that ends: a process ends with its last one. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task) {
    if (task->signal->live.counter)
        return 0;
    /* Several threads that end at once all find that none is left. The first one counts. */
    struct ended_key key = {.signal = (__u64)task->signal, .start_time = task->group_leader->start_time};
    long error = bpf_map_update_elem(&ended, &key, &is_ended, BPF_NOEXIST);
    if (error == -EEXIST)
        return 0;
    if (error) {
        count_uncounted();
        return 0;
    }
    int status = status_of(task), signal = status & 0x7f;
    if (signal)
        count(&kills, task, signal_class(signal));
    else
        count(&exits, task, status >> 8 & 0xff);
    return 0;
}

/* The subject is the target; the current task is the sender, or whoever was interrupted. */
SEC("tp_btf/signal_generate")
int BPF_PROG(signal_sent, int signal, void *info, struct task_struct *target, int group, int result) {
    if (result == TRACE_SIGNAL_DELIVERED || result == TRACE_SIGNAL_LOSE_INFO)
        count(&signals, target, signal_class(signal));
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
