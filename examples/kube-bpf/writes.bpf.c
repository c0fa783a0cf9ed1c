// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Calls of write(2), and the bytes that they were to write, by container and command; see
 * writes.metrics.yaml. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Calls that found the map full. */
__u64 uncounted = 0;

struct key {
    __u64 container;
    char command[16];
};

struct writes {
    __u64 calls;
    __u64 bytes;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct key);
    __type(value, struct writes);
} writes SEC(".maps");

/* /sys/kernel/tracing/events/syscalls/sys_enter_write/format */
struct sys_enter_write {
    __u64 common;
    __s64 syscall;
    __u64 fd;
    __u64 buffer;
    __u64 count;
};

SEC("tracepoint/syscalls/sys_enter_write")
int count_writes(struct sys_enter_write *ctx) {
    struct key key = {.container = bpf_get_current_cgroup_id()};
    struct writes zero = {};

    bpf_get_current_comm(key.command, sizeof(key.command));
    struct writes *entry = bpf_map_lookup_elem(&writes, &key);
    if (!entry) {
        bpf_map_update_elem(&writes, &key, &zero, BPF_NOEXIST);
        entry = bpf_map_lookup_elem(&writes, &key);
    }
    if (!entry) {
        __sync_fetch_and_add(&uncounted, 1);
        return 0;
    }
    __sync_fetch_and_add(&entry->calls, 1);
    __sync_fetch_and_add(&entry->bytes, ctx->count);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
