/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* System calls of 32-bit programs on a 64-bit kernel: arch/{x86,arm64}/include/asm/thread_info.h. */
#ifndef BPF_SIDECAR_COMPAT_H
#define BPF_SIDECAR_COMPAT_H

#include "kernel.bpf.h"

/* Whether the current task calls as a 32-bit program does, by other numbers: TS_COMPAT, or TIF_32BIT. */
static __always_inline bool is_compat_call(void) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
#if defined(__TARGET_ARCH_x86)
    return BPF_CORE_READ(task, thread_info.status) & 2;
#else
    return BPF_CORE_READ(task, thread_info.flags) >> 22 & 1;
#endif
}

#endif
