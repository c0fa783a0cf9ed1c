// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What the pod has to do for its memory: page faults, waits for memory to be reclaimed, and processes that
 * are killed because there is none.
 *
 * The kernel counts the faults of each thread, minor and major, as they end. These numbers are read whenever
 * the thread comes to its next fault and when it exits, and what they have grown by is counted: the sums are
 * the kernel's own, also of faults that have no exception (mlock, MAP_POPULATE).
 */
#include "container.bpf.h"
#include "exemplars.bpf.h"
#include "maps.bpf.h"
#include "tasks.bpf.h"
#include "uncounted.bpf.h"

/* 1 us, 4 us, ... 17.2 s. */
#define RECLAIM_BUCKETS 13
/* 1 MiB, 2 MiB, ... 1 TiB. */
#define RESIDENT_BUCKETS 21
#define MIB_BITS         20

/* include/linux/sched.h */
#define PF_EXITING 0x4

enum fault_type {
    MINOR,
    MAJOR,
};

enum reclaim_cause {
    NODE_IS_SHORT,
    LIMIT_IS_REACHED,
};

/* What is known of a thread. */
struct thread {
    __u64 start_time;
    /* Faults that are counted, or were there before the first one that was seen. */
    __u64 minor;
    __u64 major;
    /* When it began to reclaim memory; 0 when it does not. */
    __u64 reclaim_ns;
};

TASKS(threads, struct thread, 8192);

/* Of faults and reclaims: the container, and their type or cause. */
struct memory_key {
    __u64 container;
    __u64 kind;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, 512);
    __type(key, struct memory_key);
    __type(value, __u64);
} faults SEC(".maps");

struct reclaim_stats {
    HISTOGRAM(duration, RECLAIM_BUCKETS);
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 512);
    __type(key, struct memory_key);
    __type(value, struct reclaim_stats);
} reclaims SEC(".maps");

static const struct reclaim_stats no_reclaims;

struct victim_stats {
    __u64 kills;
    HISTOGRAM(resident, RESIDENT_BUCKETS);
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, __u64); /* container */
    __type(value, struct victim_stats);
} victims SEC(".maps");

static const struct victim_stats no_victims;

EXEMPLARS(last_victims, __u64, 256);

static __always_inline struct task_struct *current_task(void) {
    if (TYPED_CURRENT)
        return bpf_get_current_task_btf();
    return (struct task_struct *)bpf_get_current_task();
}

/* What the kernel has counted of a thread. */
static __always_inline struct thread read_thread(bool typed, struct task_struct *task) {
    struct thread thread = {
        .start_time = GET(typed, task, start_time),
        .minor = GET(typed, task, min_flt),
        .major = GET(typed, task, maj_flt),
    };
    return thread;
}

static __always_inline void count_faults(__u64 container, enum fault_type type, __u64 n) {
    struct memory_key key = {.container = container, .kind = type};
    if (n)
        count_in(&faults, &key, n);
}

static __always_inline void count_growth(__u64 container, struct thread *before, struct thread *now) {
    count_faults(container, MINOR, now->minor - before->minor);
    count_faults(container, MAJOR, now->major - before->major);
    before->minor = now->minor;
    before->major = now->major;
}

/* The entry of the current task, made when it is new: what it did before was not in the pod, or not seen. */
static __always_inline struct thread *known_thread(struct task_struct *task, struct thread *now) {
    __u64 address = (__u64)task;
    struct thread *thread = find_task(&threads, address, now->start_time);
    if (thread)
        return thread;
    /* It has been counted to its end, and nobody would remove it again. */
    if ((TYPED_CURRENT ? task->flags : BPF_CORE_READ(task, flags)) & PF_EXITING)
        return NULL;
    if (bpf_map_update_elem(&threads, &address, now, BPF_ANY)) {
        count_uncounted();
        return NULL;
    }
    return bpf_map_lookup_elem(&threads, &address);
}

static __always_inline struct thread *current_thread(struct thread *now) {
    struct task_struct *task = current_task();
    *now = TYPED_CURRENT ? read_thread(true, task) : read_thread(false, task);
    return known_thread(task, now);
}

static __always_inline void fault(void) {
    struct thread now, *thread = current_thread(&now);
    if (thread)
        count_growth(current_container(), thread, &now);
}

SEC("tp_btf/page_fault_user")
int user_fault(void *ctx) {
    fault();
    return 0;
}

/* Those that the kernel has while it works for the thread, on the arguments of a system call for example. */
SEC("tp_btf/page_fault_kernel")
int kernel_fault(void *ctx) {
    fault();
    return 0;
}

static __always_inline void begin_reclaim(void) {
    struct thread now, *thread = current_thread(&now);
    if (thread)
        thread->reclaim_ns = bpf_ktime_get_ns();
}

static __always_inline void end_reclaim(enum reclaim_cause cause) {
    struct memory_key key = {.container = current_container(), .kind = cause};
    __u64 address = (__u64)current_task();
    struct thread *thread = bpf_map_lookup_elem(&threads, &address);
    /* It began before this probe did. */
    if (!thread || !thread->reclaim_ns)
        return;
    __u64 ns = bpf_ktime_get_ns() - thread->reclaim_ns, us = (ns + 999) / 1000;
    thread->reclaim_ns = 0;
    struct reclaim_stats *stats = find_or_make(&reclaims, &key, &no_reclaims);
    if (stats)
        observe(stats->duration, RECLAIM_BUCKETS, ceil_log4(us), ns);
    else
        count_uncounted();
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int begin_node_reclaim(void *ctx) {
    begin_reclaim();
    return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int end_node_reclaim(void *ctx) {
    end_reclaim(NODE_IS_SHORT);
    return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int begin_limit_reclaim(void *ctx) {
    begin_reclaim();
    return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int end_limit_reclaim(void *ctx) {
    end_reclaim(LIMIT_IS_REACHED);
    return 0;
}

/* That of the running kernel: arm64 has several. */
#define PAGE_BYTES                                                                                           \
    (bpf_core_field_offset(struct bpf_ringbuf, producer_pos) -                                               \
     bpf_core_field_offset(struct bpf_ringbuf, consumer_pos))

/* As the kernel's log of the kill has it, in pages. */
static __always_inline __u64 resident_pages(struct mm_struct *mm) {
    if (bpf_core_field_exists(mm->rss_stat[0].count))
        return mm->rss_stat[MM_FILE_PAGES].count + mm->rss_stat[MM_ANON_PAGES].count +
               mm->rss_stat[MM_SHMEM_PAGES].count;
    struct mm_struct___before_6_2 *older = (void *)mm;
    /* The verifier of these kernels goes into no array of a typedef. */
    return BPF_CORE_READ(older, rss_stat.count[MM_FILE_PAGES].counter) +
           BPF_CORE_READ(older, rss_stat.count[MM_ANON_PAGES].counter) +
           BPF_CORE_READ(older, rss_stat.count[MM_SHMEM_PAGES].counter);
}

/* The most that a process had: the memory of one that exits may be gone. */
static __always_inline __u64 most_pages(struct signal_struct *process) {
    __u64 most = process->maxrss, resident = resident_pages(process->oom_mm);
    __u64 highest = process->oom_mm->hiwater_rss;
    if (most < highest)
        most = highest;
    return most < resident ? resident : most;
}

static __always_inline void count_victim(struct task_struct *task, __u64 pages) {
    __u64 container = task_container(task), bytes = pages * PAGE_BYTES;
    struct victim_stats *stats = find_or_make(&victims, &container, &no_victims);
    if (!stats) {
        count_uncounted();
        return;
    }
    __u32 bucket = ceil_log2((bytes + (1 << MIB_BITS) - 1) >> MIB_BITS);
    add(stats->kills, 1);
    observe(stats->resident, RESIDENT_BUCKETS, bucket, bytes);

    struct last_victims_key place = {.series = container, .bucket = bucket};
    struct exemplar last = {.value = bytes, .time = bpf_ktime_get_ns(), .pid = task->tgid};
    bpf_probe_read_kernel_str(&last.comm, sizeof(last.comm), &task->comm);
    bpf_map_update_elem(&last_victims, &place, &last, BPF_ANY);
}

/*
 * The tracepoint has the victim since 72ba14deb40a ("mm: update mark_victim tracepoints fields", Linux 6.9),
 * and before that only its number, of which nothing leads to its pod.
 */
#define VICTIM_IS_TOLD bpf_core_field_exists(struct trace_event_raw_mark_victim, uid)

SEC("tp_btf/mark_victim")
int BPF_PROG(mark_victim, struct task_struct *victim) {
    if (VICTIM_IS_TOLD)
        count_victim(victim, resident_pages(victim->mm));
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(thread_exit, struct task_struct *task) {
    __u64 address = (__u64)task;
    struct thread now = read_thread(true, task);
    struct thread *thread = find_task(&threads, address, now.start_time);
    if (thread)
        count_growth(task_container(task), thread, &now);
    bpf_map_delete_elem(&threads, &address);

    if (!VICTIM_IS_TOLD && task->pid == task->tgid && task->signal->oom_mm)
        count_victim(task, most_pages(task->signal));
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
