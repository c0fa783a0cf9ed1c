// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Reads, writes, opens and fsyncs of regular files by the pod, by container and type of the file system. A
 * call counts when it returns, if its entry was seen as well. What a descriptor is of is looked up when the
 * call begins; of an open, when it has returned.
 */
#include "container.bpf.h"
#include "file-calls.bpf.h"
#include "maps.bpf.h"
#include "task-storage.bpf.h"

#define MAX_ERRNO 4095

/* <linux/stat.h> */
#define S_IFMT  00170000
#define S_IFREG 0100000

/* Powers of four from 1 us to 16.8 s. */
#define DURATION_BUCKETS 13

/* More than any name of a type in the kernel has. */
#define FILE_SYSTEM_NAME 16

enum operation {
    OPERATION_NONE = 0,
    OPERATION_READ = 1,
    OPERATION_WRITE = 2,
    OPERATION_OPEN = 3,
    OPERATION_FSYNC = 4,
};

struct call {
    struct begun begun;
    __u32 operation;
    __u32 padding;
    char file_system[FILE_SYSTEM_NAME];
};

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct call);
} calls SEC(".maps");

struct file_key {
    __u64 container;
    char file_system[FILE_SYSTEM_NAME];
    __u32 operation;
    __u32 padding;
};

struct file_stats {
    __u64 operations;
    __u64 bytes;
    HISTOGRAM(duration, DURATION_BUCKETS);
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct file_key);
    __type(value, struct file_stats);
} files SEC(".maps");

struct error_key {
    __u64 container;
    char file_system[FILE_SYSTEM_NAME];
    __u32 operation;
    __u32 error;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct error_key);
    __type(value, __u64);
} errors SEC(".maps");

static const struct file_stats no_operations;

static __always_inline __u32 operation_of(long number) {
    switch (number) {
    case CALL_read:
    case CALL_pread64:
    case CALL_readv:
    case CALL_preadv:
    case CALL_preadv2:
        return OPERATION_READ;
    case CALL_write:
    case CALL_pwrite64:
    case CALL_writev:
    case CALL_pwritev:
    case CALL_pwritev2:
        return OPERATION_WRITE;
#ifdef CALL_open
    case CALL_open:
    case CALL_creat:
#endif
    case CALL_openat:
    case CALL_openat2:
        return OPERATION_OPEN;
    case CALL_fsync:
    case CALL_fdatasync:
        return OPERATION_FSYNC;
    }
    return OPERATION_NONE;
}

enum found {
    /* No file has this descriptor. */
    FOUND_NONE,
    /* A socket, pipe, device, directory, ... */
    FOUND_OTHER,
    FOUND_REGULAR,
    /* Another thread closed it or put another file in its place while we looked. */
    FOUND_CHANGED,
};

/* Looks up a descriptor of the current task, and the type of the file system of a regular file. */
static __always_inline enum found find_file(__u32 descriptor, char *file_system) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct fdtable *table = BPF_CORE_READ(task, files, fdt);
    if (descriptor >= BPF_CORE_READ(table, max_fds))
        return FOUND_NONE;
    struct file **place = BPF_CORE_READ(table, fd) + descriptor;
    struct file *file = NULL, *still = NULL;
    if (bpf_probe_read_kernel(&file, sizeof(file), place) || !file)
        return FOUND_NONE;

    struct inode *inode = BPF_CORE_READ(file, f_inode);
    bool regular = (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFREG;
    if (regular) {
        const char *name = BPF_CORE_READ(inode, i_sb, s_type, name);
        if (bpf_probe_read_kernel_str(file_system, FILE_SYSTEM_NAME, name) <= 0)
            return FOUND_CHANGED;
    }

    /* Memory of a file that was closed may be another's: only while it is in its place this was read of it.
     */
    if (bpf_probe_read_kernel(&still, sizeof(still), place) || still != file)
        return FOUND_CHANGED;
    return regular ? FOUND_REGULAR : FOUND_OTHER;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long number) {
    struct call entered = {.operation = operation_of(number)};
    if (entered.operation == OPERATION_NONE || is_compat_call())
        return 0;
    if (entered.operation != OPERATION_OPEN) {
        enum found found = find_file(first_argument(regs), entered.file_system);
        if (found == FOUND_CHANGED)
            count_uncounted();
        if (found != FOUND_REGULAR)
            return 0;
    }
    begin_call(&calls, &entered.begun, sizeof(entered));
    return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long result) {
    __u64 ns;
    struct call *call = end_call(&calls, &ns);
    if (!call)
        return 0;

    struct file_key key = {.container = current_container(), .operation = call->operation};
    __builtin_memcpy(key.file_system, call->file_system, FILE_SYSTEM_NAME);
    if (key.operation == OPERATION_OPEN && result >= 0) {
        enum found found = find_file(result, key.file_system);
        if (found == FOUND_OTHER)
            return 0;
        if (found != FOUND_REGULAR) {
            count_uncounted();
            return 0;
        }
    }

    struct file_stats *stats = find_or_make(&files, &key, &no_operations);
    if (!stats) {
        count_uncounted();
        return 0;
    }
    add(stats->operations, 1);
    observe(stats->duration, DURATION_BUCKETS, ceil_log4((ns + 999) / 1000), ns);

    if (result < 0 && result >= -MAX_ERRNO) {
        struct error_key error = {
            .container = key.container,
            .operation = key.operation,
            .error = -result,
        };
        __builtin_memcpy(error.file_system, key.file_system, FILE_SYSTEM_NAME);
        count_in(&errors, &error, 1);
    } else if (key.operation == OPERATION_READ || key.operation == OPERATION_WRITE) {
        add(stats->bytes, result);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
