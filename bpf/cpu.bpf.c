// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * How the pod's tasks get along with the CPUs: how long they wait for one, how long they run, and how they
 * leave it. The scheduler keeps these numbers for each task. They are read whenever one of the pod's tasks
 * leaves a CPU, and what they have grown by since the task last did so belongs to the run that ends there:
 * the sums are the kernel's own, and there is nothing to do on wake-ups, where another task is current.
 */
#include "container.bpf.h"
#include "maps.bpf.h"
#include "tasks.bpf.h"
#include "uncounted.bpf.h"

/* 1 us, 2 us, ... 8.4 s. */
#define BUCKETS 24

/* include/linux/sched.h */
#define TASK_DEAD 0x80

enum switch_type {
    INVOLUNTARY,
    VOLUNTARY,
};

/* What has been counted of a task. */
struct counted {
    __u64 start_time;
    __u64 container;
    __u64 voluntary;
    __u64 waited;
    __u64 ran;
    __u64 migrations;
};

TASKS(tasks, struct counted, 16384);

struct cpu_key {
    __u64 container;
    __u64 type;
};

struct cpu_stats {
    __u64 switches;
    __u64 migrations;
    HISTOGRAM(waits, BUCKETS);
    HISTOGRAM(runs, BUCKETS);
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, 128);
    __type(key, struct cpu_key);
    __type(value, struct cpu_stats);
} cpu SEC(".maps");

static const struct cpu_stats no_switches;

static __always_inline __u64 state_of(struct task_struct *task) {
    if (bpf_core_field_exists(task->__state))
        return task->__state;
    return ((struct task_struct___before_5_14 *)task)->state;
}

static __always_inline __u64 waited_by(struct task_struct *task) {
    return bpf_core_field_exists(task->sched_info.run_delay) ? task->sched_info.run_delay : 0;
}

static __always_inline __u32 bucket_of(__u64 ns) {
    return ceil_log2((ns + 999) / 1000);
}

/* The subject is the task that leaves the CPU, see the metric spec. */
SEC("tp_btf/sched_switch")
int leave_cpu(__u64 *ctx) {
    bool preempted = ctx[0];
    struct task_struct *task = (struct task_struct *)ctx[1];
    __u64 address = (__u64)task, state = state_of(task);

    struct counted now = {
        .start_time = task->start_time,
        .container = task_container(task),
        .voluntary = task->nvcsw,
        .waited = waited_by(task),
        .ran = task->se.sum_exec_runtime,
        .migrations = task->se.nr_migrations,
    };
    struct counted *before = find_task(&tasks, address, now.start_time);
    bool is_known = before && before->container == now.container;
    /* It leaves a CPU for the first time: nothing of it was counted before. */
    bool is_new = task->nvcsw + task->nivcsw == 1;

    struct cpu_key key = {.container = now.container};
    if (is_known)
        key.type = now.voluntary == before->voluntary ? INVOLUNTARY : VOLUNTARY;
    else
        key.type = preempted || !state ? INVOLUNTARY : VOLUNTARY;

    struct cpu_stats *stats = find_or_make(&cpu, &key, &no_switches);
    if (!stats) {
        count_uncounted();
    } else {
        add(stats->switches, 1);
        if (is_known || is_new) {
            __u64 waited = now.waited - (is_known ? before->waited : 0);
            __u64 ran = now.ran - (is_known ? before->ran : 0);
            add(stats->migrations, now.migrations - (is_known ? before->migrations : 0));
            observe(stats->waits, BUCKETS, bucket_of(waited), waited);
            observe(stats->runs, BUCKETS, bucket_of(ran), ran);
        }
    }

    if (state & TASK_DEAD)
        bpf_map_delete_elem(&tasks, &address);
    else if (before)
        *before = now;
    else if (bpf_map_update_elem(&tasks, &address, &now, BPF_ANY))
        count_uncounted();
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
