/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The few kernel types that our programs touch, with only the members they read. libbpf relocates every
 * access to the running kernel (CO-RE), so the order and the gaps here mean nothing; that is why this
 * file can stand in for a generated vmlinux.h of several megabytes.
 */
#ifndef BPF_SIDECAR_KERNEL_H
#define BPF_SIDECAR_KERNEL_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
    __u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
    struct cgroup *cgroup;
    struct cgroup_subsys_state *parent;
};

struct cgroup_root {
    int hierarchy_id;
};

struct cgroup {
    struct cgroup_subsys_state self;
    int level;
    struct kernfs_node *kn;
    struct cgroup_root *root;
};

struct css_set {
    struct cgroup *dfl_cgrp;
};

struct files_struct;

struct thread_info {
    unsigned long flags;
    __u32 status;
};

struct sched_entity {
    __u64 sum_exec_runtime;
    __u64 nr_migrations;
};

/* Empty in kernels that are built without it (CONFIG_SCHED_INFO). */
struct sched_info {
    unsigned long long run_delay;
};

typedef struct {
    int counter;
} atomic_t;

/* include/linux/mm_types_task.h: all but swap are resident. */
#define MM_FILE_PAGES  0
#define MM_ANON_PAGES  1
#define MM_SWAP_PAGES  2
#define MM_SHMEM_PAGES 3
#define MM_COUNTERS    4

struct percpu_counter {
    __s64 count;
};

struct mm_struct {
    struct percpu_counter rss_stat[MM_COUNTERS];
    unsigned long hiwater_rss;
};

/* Before f1a7941243c1 ("mm: convert mm's rss stats into percpu_counter", Linux 6.2). */
typedef struct {
    long counter;
} atomic_long_t;

struct mm_rss_stat {
    atomic_long_t count[MM_COUNTERS];
};

struct mm_struct___before_6_2 {
    struct mm_rss_stat rss_stat;
};

struct signal_struct {
    atomic_t live;
    int group_exit_code;
    unsigned int flags;
    unsigned long maxrss;
    struct mm_struct *oom_mm;
};

struct task_struct {
    struct thread_info thread_info;
    unsigned int __state;
    unsigned int flags;
    int exit_code;
    int pid;
    int tgid;
    struct task_struct *group_leader;
    struct signal_struct *signal;
    struct sched_entity se;
    struct sched_info sched_info;
    unsigned long nvcsw;
    unsigned long nivcsw;
    unsigned long min_flt;
    unsigned long maj_flt;
    struct mm_struct *mm;
    char comm[16];
    __u64 start_time;
    struct css_set *cgroups;
    struct files_struct *files;
};

/* Before Linux 5.14 (2f064a59a11f) the state has another name. */
struct task_struct___before_5_14 {
    volatile long state;
};

/* Of the tracepoint oom/mark_victim. */
struct trace_event_raw_mark_victim {
    unsigned int uid;
};

/* The two are a page apart (kernel/bpf/ringbuf.c). */
struct bpf_ringbuf {
    unsigned long consumer_pos;
    unsigned long producer_pos;
};

struct blkcg {
    struct cgroup_subsys_state css;
};

struct blkcg_gq {
    struct blkcg *blkcg;
};

struct bio {
    struct blkcg_gq *bi_blkg;
};

struct gendisk {
    int major;
    int first_minor;
};

struct request_queue {
    struct gendisk *disk;
};

struct request {
    struct request_queue *q;
    unsigned int cmd_flags;
    unsigned int __data_len;
    struct bio *bio;
};

struct sock_cgroup_data {
    struct cgroup *cgroup;
};

/*
 * The same before 8520e224f547 ("bpf, cgroups: Fix cgroup v2 fallback on v1/v2 mixed mode", Linux 5.15 and
 * 5.10.226): a pointer, or something of cgroup v1 where one of the two lowest bits is set.
 */
struct sock_cgroup_data___tagged {
    __u64 val;
};

struct ipv6_address {
    __u8 bytes[16];
};

struct sock_common {
    __be32 skc_daddr;
    __be16 skc_dport;
    unsigned short skc_family;
    struct ipv6_address skc_v6_daddr;
    unsigned long skc_flags;
    volatile unsigned char skc_state;
};

struct sock {
    struct sock_common __sk_common;
    struct sock_cgroup_data sk_cgrp_data;
    __u16 sk_protocol;
    int sk_err;
};

struct sk_buff {
    struct sock *sk;
    __be16 protocol;
    unsigned char *head;
    /* From the head, on 64-bit processors. */
    unsigned int end;
};

/* At the end of a packet's buffer. */
struct skb_shared_info {
    unsigned short gso_segs;
};

/* The numbers differ between kernels. */
enum skb_drop_reason {
    SKB_DROP_REASON_NOT_SPECIFIED = 2,
    SKB_DROP_REASON_QUEUE_PURGE = 104,
};

/* Of the tracepoint skb/kfree_skb. */
struct trace_event_raw_kfree_skb {
    enum skb_drop_reason reason;
    void *rx_sk;
};

struct file_system_type {
    const char *name;
};

struct super_block {
    __u32 s_dev;
    struct file_system_type *s_type;
};

struct inode {
    unsigned short i_mode;
    unsigned long i_ino;
    struct super_block *i_sb;
};

struct file {
    struct inode *f_inode;
};

struct fdtable {
    unsigned int max_fds;
    struct file **fd;
};

struct files_struct {
    struct fdtable *fdt;
};

struct vm_area_struct {
    struct file *vm_file;
};

struct inet_sock {
    struct sock sk;
};

struct inet_connection_sock {
    struct inet_sock icsk_inet;
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    __u64 bytes_received;
    __u64 bytes_sent;
    __u64 bytes_retrans;
};

#pragma clang attribute pop

enum sock_flags {
    SOCK_DONE = 1,
};

#endif
