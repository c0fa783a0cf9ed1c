/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The system calls on files: their numbers, which each architecture has its own of, and their arguments. */
#ifndef BPF_SIDECAR_FILE_CALLS_H
#define BPF_SIDECAR_FILE_CALLS_H

#include "compat.bpf.h"

#if defined(__TARGET_ARCH_x86)
/* arch/x86/entry/syscalls/syscall_64.tbl */
#define CALL_read      0
#define CALL_write     1
#define CALL_open      2
#define CALL_pread64   17
#define CALL_pwrite64  18
#define CALL_readv     19
#define CALL_writev    20
#define CALL_fsync     74
#define CALL_fdatasync 75
#define CALL_creat     85
#define CALL_openat    257
#define CALL_preadv    295
#define CALL_pwritev   296
#define CALL_preadv2   327
#define CALL_pwritev2  328
#define CALL_openat2   437
#else
/* include/uapi/asm-generic/unistd.h; it has no open and no creat. */
#define CALL_openat    56
#define CALL_read      63
#define CALL_write     64
#define CALL_readv     65
#define CALL_writev    66
#define CALL_pread64   67
#define CALL_pwrite64  68
#define CALL_preadv    69
#define CALL_pwritev   70
#define CALL_fsync     82
#define CALL_fdatasync 83
#define CALL_preadv2   286
#define CALL_pwritev2  287
#define CALL_openat2   437
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
#if defined(__TARGET_ARCH_x86)
    unsigned long di;
#else
    __u64 regs[31];
#endif
};

#pragma clang attribute pop

/* The first argument of the call that is entered. */
static __always_inline __u64 first_argument(struct pt_regs *regs) {
#if defined(__TARGET_ARCH_x86)
    return regs->di;
#else
    return regs->regs[0];
#endif
}

#endif
