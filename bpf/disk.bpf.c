// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Requests to block devices that are charged to the pod's cgroups, by container, device and what they do.
 * The time is that of the device and its driver: from when a request is issued to when it is complete.
 */
#include "container.bpf.h"
#include "maps.bpf.h"
#include "uncounted.bpf.h"

/* Powers of two from 16 us to 33.6 s. */
#define TIME_SHIFT   4
#define TIME_BUCKETS 22

/* <linux/blk_types.h>: the operation is in the lowest bits of the flags, with the same numbers since 4.10. */
#define REQ_OP_MASK    0xff
#define REQ_OP_READ    0
#define REQ_OP_WRITE   1
#define REQ_OP_DISCARD 3

enum direction {
    DIRECTION_READ = 0,
    DIRECTION_WRITE = 1,
    DIRECTION_DISCARD = 2,
    DIRECTION_OTHER = 3,
};

/* When each request was issued, by its address; of requests that are never heard of again the oldest go. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, __u64);
    __type(value, __u64);
} issued SEC(".maps");

struct disk_key {
    __u64 container;
    /* As new_encode_dev() of the kernel packs it. */
    __u32 device;
    __u32 direction;
};

struct disk_stats {
    __u64 operations;
    __u64 errors;
    __u64 bytes;
    HISTOGRAM(time, TIME_BUCKETS);
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct disk_key);
    __type(value, struct disk_stats);
} disk SEC(".maps");

static const struct disk_stats no_operations;

/*
 * Since a54895fa057c ("block: remove the request_queue to argument request based tracepoints", Linux 5.11)
 * the request is the first argument, before it the second. A constant to the verifier.
 */
typedef void (*btf_trace_block_rq_issue)(void *, struct request *);
#define REQUEST_IS_FIRST bpf_core_type_exists(btf_trace_block_rq_issue)

/*
 * Before f3fa33acca9f ("block: remove the ->rq_disk field in struct request", Linux 5.17); the queue has its
 * disk since d152c682f03c (5.15).
 */
struct request___with_disk {
    struct gendisk *rq_disk;
} __attribute__((preserve_access_index));

static __always_inline __u32 device_of(struct request *request) {
    struct request___with_disk *older = (void *)request;
    struct gendisk *disk = bpf_core_field_exists(older->rq_disk) ? BPF_CORE_READ(older, rq_disk)
                                                                 : BPF_CORE_READ(request, q, disk);
    __u32 major = BPF_CORE_READ(disk, major), minor = BPF_CORE_READ(disk, first_minor);
    return (minor & 0xff) | major << 8 | (minor & ~0xff) << 12;
}

static __always_inline __u32 direction_of(struct request *request) {
    switch (request->cmd_flags & REQ_OP_MASK) {
    case REQ_OP_READ:
        return DIRECTION_READ;
    case REQ_OP_WRITE:
        return DIRECTION_WRITE;
    case REQ_OP_DISCARD:
        return DIRECTION_DISCARD;
    }
    return DIRECTION_OTHER;
}

static __always_inline int issue(struct request *request) {
    __u64 address = (__u64)request, now = bpf_ktime_get_ns();
    bpf_map_update_elem(&issued, &address, &now, BPF_ANY);
    return 0;
}

/* A request may be completed in parts; only the last one completes it. */
static __always_inline int complete(struct request *request, bool failed, __u32 bytes) {
    __u64 address = (__u64)request;
    __u64 *start = bpf_map_lookup_elem(&issued, &address);
    if (!start) {
        count_uncounted();
        return 0;
    }
    __u64 ns = bpf_ktime_get_ns() - *start;
    bool last = bytes >= request->__data_len;
    if (last)
        bpf_map_delete_elem(&issued, &address);

    struct disk_key key = {
        .container = request_container(request),
        .device = device_of(request),
        .direction = direction_of(request),
    };
    struct disk_stats *stats = find_or_make(&disk, &key, &no_operations);
    if (!stats) {
        count_uncounted();
        return 0;
    }
    if (failed)
        add(stats->errors, 1);
    else
        add(stats->bytes, bytes);
    if (last) {
        __u32 bucket = ceil_log2((ns + 999) / 1000);
        add(stats->operations, 1);
        observe(stats->time, TIME_BUCKETS, bucket < TIME_SHIFT ? 0 : bucket - TIME_SHIFT, ns);
    }
    return 0;
}

SEC("tp_btf/block_rq_issue")
int block_rq_issue(__u64 *ctx) {
    if (REQUEST_IS_FIRST)
        return issue((struct request *)ctx[0]);
    return issue((struct request *)ctx[1]);
}

/* The error is an errno or, since Linux 5.16, a blk_status_t, of one byte. */
SEC("tp_btf/block_rq_complete")
int BPF_PROG(block_rq_complete, struct request *request, int error, unsigned int bytes) {
    return complete(request, (__u8)error != 0, bytes);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
