// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What the pod does that needs a privilege, and whether it was let: checks of capabilities, system calls that
 * change users, trace processes, mount, load modules or eBPF programs, and connections out of the networks
 * that are known.
 */
#include <linux/in.h>
#include "compat.bpf.h"
#include "container.bpf.h"
#include "maps.bpf.h"
#include "uncounted.bpf.h"

#define ALLOW 1

/* include/uapi/asm-generic/errno-base.h */
#define EPERM  1
#define EACCES 13

#define MAX_ERRNO 4095

enum verdict {
    SUCCESS,
    DENIED,
    FAILED,
};

enum operation {
    OTHER,
    SETUID,
    SETGID,
    SETGROUPS,
    PTRACE,
    MOUNT,
    UMOUNT,
    MODULE_LOAD,
    MODULE_UNLOAD,
    BPF,
};

/* Of checks and calls: the container, the capability or operation, and how it ended. */
struct security_key {
    __u64 container;
    __u32 what;
    __u32 verdict;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 2048);
    __type(key, struct security_key);
    __type(value, __u64);
} checks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct security_key);
    __type(value, __u64);
} operations SEC(".maps");

struct destination_key {
    __u64 container;
    __u8 family;   /* IP version, 4 or 6 */
    __u8 protocol; /* 0 is another one */
    __u8 padding[6];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 512);
    __type(key, struct destination_key);
    __type(value, __u64);
} destinations SEC(".maps");

struct network {
    __u32 length;
    __u32 address[4];
};

/* IPv4 is ::ffff:a.b.c.d. */
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 64);
    __type(key, struct network);
    __type(value, __u8);
} option_known SEC(".maps");

/* How many networks are known; without any all would be unknown, and nothing is counted. */
const volatile __u32 option_known_count = 0;

/*
 * Since d48da4d5ed7b ("security: add trace event for cap_capable", Linux 6.14): an older kernel refuses this
 * program and no other.
 */
SEC("tp_btf/cap_capable")
int BPF_PROG(capability_check, const void *cred, void *target_ns, void *capable_ns, int capability,
             int result) {
    struct security_key key = {
        .container = current_container(),
        .what = capability,
        .verdict = result ? DENIED : SUCCESS,
    };
    count_in(&checks, &key, 1);
    return 0;
}

#if defined(__TARGET_ARCH_x86)

/* arch/x86/entry/syscalls/syscall_64.tbl */
static __always_inline enum operation operation_of(long number) {
    switch (number) {
    case 105: /* setuid */
    case 113: /* setreuid */
    case 117: /* setresuid */
        return SETUID;
    case 106: /* setgid */
    case 114: /* setregid */
    case 119: /* setresgid */
        return SETGID;
    case 116: /* setgroups */
        return SETGROUPS;
    case 101: /* ptrace */
        return PTRACE;
    case 165: /* mount */
    case 429: /* move_mount */
        return MOUNT;
    case 166: /* umount2 */
        return UMOUNT;
    case 175: /* init_module */
    case 313: /* finit_module */
        return MODULE_LOAD;
    case 176: /* delete_module */
        return MODULE_UNLOAD;
    case 321: /* bpf */
        return BPF;
    default:
        return OTHER;
    }
}

#else

/* include/uapi/asm-generic/unistd.h */
static __always_inline enum operation operation_of(long number) {
    switch (number) {
    case 146: /* setuid */
    case 145: /* setreuid */
    case 147: /* setresuid */
        return SETUID;
    case 144: /* setgid */
    case 143: /* setregid */
    case 149: /* setresgid */
        return SETGID;
    case 159: /* setgroups */
        return SETGROUPS;
    case 117: /* ptrace */
        return PTRACE;
    case 40:  /* mount */
    case 429: /* move_mount */
        return MOUNT;
    case 39: /* umount2 */
        return UMOUNT;
    case 105: /* init_module */
    case 273: /* finit_module */
        return MODULE_LOAD;
    case 106: /* delete_module */
        return MODULE_UNLOAD;
    case 280: /* bpf */
        return BPF;
    default:
        return OTHER;
    }
}

#endif

/* The call that a task returns from: arch/{x86,arm64}/include/asm/ptrace.h. */
struct pt_regs___call_x86 {
    unsigned long orig_ax;
} __attribute__((preserve_access_index));

struct pt_regs___call_arm64 {
    int syscallno;
} __attribute__((preserve_access_index));

static __always_inline long syscall_of(struct pt_regs *regs) {
#if defined(__TARGET_ARCH_x86)
    return ((struct pt_regs___call_x86 *)regs)->orig_ax;
#else
    return ((struct pt_regs___call_arm64 *)regs)->syscallno;
#endif
}

static __always_inline enum verdict verdict_of(long result) {
    if (result == -EPERM || result == -EACCES)
        return DENIED;
    return result < 0 && result >= -MAX_ERRNO ? FAILED : SUCCESS;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(privileged_call, struct pt_regs *regs, long result) {
    enum operation operation = operation_of(syscall_of(regs));
    if (operation == OTHER || is_compat_call())
        return 0;
    struct security_key key = {
        .container = current_container(),
        .what = operation,
        .verdict = verdict_of(result),
    };
    count_in(&operations, &key, 1);
    return 0;
}

/* The address that stands for "this machine" as well, as connect(2) takes it: 0.0.0.0 and ::. */
static __always_inline bool is_loopback(const __u32 *address) {
    if (address[0] || address[1])
        return false;
    if (address[2] == bpf_htonl(0xffff))
        return (bpf_ntohl(address[3]) >> 24) == 127 || address[3] == 0;
    return address[2] == 0 && (address[3] == 0 || address[3] == bpf_htonl(1));
}

static __always_inline int count_destination(struct bpf_sock_addr *ctx, __u8 family, __u32 a, __u32 b,
                                             __u32 c, __u32 d) {
    struct network network = {.length = 128, .address = {a, b, c, d}};
    if (!option_known_count || is_loopback(network.address) || bpf_map_lookup_elem(&option_known, &network))
        return ALLOW;
    struct destination_key key = {
        .container = bpf_get_current_ancestor_cgroup_id(container_level),
        .family = family,
    };
    __u32 protocol = ctx->protocol;
    if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
        key.protocol = protocol;
    count_in(&destinations, &key, 1);
    return ALLOW;
}

#define COUNT_IPV4(ctx) count_destination(ctx, 4, 0, 0, bpf_htonl(0xffff), (ctx)->user_ip4)
#define COUNT_IPV6(ctx)                                                                                      \
    count_destination(ctx, 6, (ctx)->user_ip6[0], (ctx)->user_ip6[1], (ctx)->user_ip6[2], (ctx)->user_ip6[3])

SEC("cgroup/connect4")
int connect_ipv4(struct bpf_sock_addr *ctx) {
    return COUNT_IPV4(ctx);
}

SEC("cgroup/connect6")
int connect_ipv6(struct bpf_sock_addr *ctx) {
    return COUNT_IPV6(ctx);
}

/* Datagrams of sockets that are not connected. */
SEC("cgroup/sendmsg4")
int send_ipv4(struct bpf_sock_addr *ctx) {
    return COUNT_IPV4(ctx);
}

SEC("cgroup/sendmsg6")
int send_ipv6(struct bpf_sock_addr *ctx) {
    return COUNT_IPV6(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
