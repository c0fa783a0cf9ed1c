// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* task_argument.bpf.c for kprobes at a function's entry. */
#include "registers.bpf.h"

#include "task_argument.bpf.c"
