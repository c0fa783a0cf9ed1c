/* What event loops find when they wake up, by container and command. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct key {
    __u64 container;
    char command[16];
    __u64 what;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct key);
    __type(value, __u64);
} wakeups SEC(".maps");

/* Events that were found at once. `what` is their number, up to this; then comes their sum, then more. */
#define MOST 8

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __type(key, struct key);
    __type(value, __u64);
} events SEC(".maps");

/* As /sys/kernel/tracing/events/syscalls/sys_exit_epoll_pwait/format has it. */
struct sys_exit {
    __u64 common;
    __s64 number;
    __s64 result;
};

/* Adds to what a map has for a key. */
static void add(void *map, const struct key *key, __u64 more) {
    __u64 zero = 0, *sum = bpf_map_lookup_elem(map, key);
    if (!sum) {
        bpf_map_update_elem(map, key, &zero, BPF_NOEXIST);
        sum = bpf_map_lookup_elem(map, key);
    }
    if (sum)
        __sync_fetch_and_add(sum, more);
}

SEC("tracepoint/syscalls/sys_exit_epoll_pwait")
int wake_up(struct sys_exit *ctx) {
    struct key key = {.container = bpf_get_current_cgroup_id()};

    bpf_get_current_comm(key.command, sizeof(key.command));
    /* 0 the time was over, 1 there were events, 2 a signal came. */
    key.what = ctx->result == 0 ? 0 : ctx->result > 0 ? 1 : 2;
    add(&wakeups, &key, 1);
    if (ctx->result < 0)
        return 0;
    key.what = ctx->result > MOST ? MOST + 2 : ctx->result;
    add(&events, &key, 1);
    key.what = MOST + 1;
    add(&events, &key, ctx->result);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
