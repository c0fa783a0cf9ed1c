// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* task_argument.bpf.c for raw tracepoints, whose arguments have no types. */
#define UNTYPED_ARGUMENTS
#include "task_argument.bpf.c"
