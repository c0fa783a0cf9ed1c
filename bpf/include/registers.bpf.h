/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * For dispatchers on kprobes at a function's entry, where the arguments are in registers: these are their
 * positions in the context, a struct pt_regs of the kernel, and the pointers in them have no types.
 */
#ifndef BPF_SIDECAR_REGISTERS_H
#define BPF_SIDECAR_REGISTERS_H

#define UNTYPED_ARGUMENTS
#if defined(__TARGET_ARCH_x86)
/* di, si, dx, cx */
#define REGISTER(index) ((index) == 0 ? 14 : (index) == 1 ? 13 : (index) == 2 ? 12 : 11)
#else
/* x0 to x3 */
#define REGISTER(index) (index)
#endif
#define ARGUMENT(ctx, index) (ctx)[REGISTER(index)]

#endif
