/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Walking the cgroup v2 hierarchy through BTF pointers: no helper call, on every kernel with BTF. */
#ifndef BPF_SIDECAR_CGROUP_H
#define BPF_SIDECAR_CGROUP_H

#include "kernel.bpf.h"

/* How far below the wanted level a cgroup may be: containers may nest cgroups of their own. */
#define MAX_NESTING 16

/* The ancestor of a cgroup at a level, or the cgroup itself where it is not below that level. */
static __always_inline struct cgroup *cgroup_at_level(struct cgroup *cgroup, int level) {
    for (int i = 0; i < MAX_NESTING && cgroup->level > level; i++)
        cgroup = cgroup->self.parent->cgroup;
    return cgroup;
}

static __always_inline struct cgroup *current_cgroup(void) {
    return bpf_get_current_task_btf()->cgroups->dfl_cgrp;
}

static __always_inline struct cgroup *tcp_sock_cgroup(struct tcp_sock *sk) {
    return sk->inet_conn.icsk_inet.sk.sk_cgrp_data.cgroup;
}

#endif
