// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* sock_argument.bpf.c for raw tracepoints, whose arguments have no types. */
#define UNTYPED_ARGUMENTS
#include "sock_argument.bpf.c"
