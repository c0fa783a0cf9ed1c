// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* block_argument.bpf.c for raw tracepoints, whose arguments have no types. */
#define UNTYPED_ARGUMENTS
#include "block_argument.bpf.c"
