/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Walking the cgroup v2 hierarchy: through BTF pointers, without a helper call, wherever there are some. */
#ifndef BPF_SIDECAR_CGROUP_H
#define BPF_SIDECAR_CGROUP_H

#include "kernel.bpf.h"

/* How far below the wanted level a cgroup may be: containers may nest cgroups of their own. */
#define MAX_NESTING 16

/*
 * Reads a member through a pointer: at once where the verifier knows its type, else with a helper call.
 * `typed` is a constant of the function that it is in.
 */
#define GET(typed, pointer, member) ((typed) ? (pointer)->member : BPF_CORE_READ(pointer, member))

/*
 * Whether the current task has a type, since 3ca1032ab7ab ("bpf: Implement get_current_task_btf and
 * RET_PTR_TO_BTF_ID", Linux 5.11). A constant to the verifier, which leaves out what is not for the running
 * kernel.
 */
#define TYPED_CURRENT bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

/* Whether the cgroup of a socket is a pointer with a type. */
#define TYPED_SOCK_CGROUP bpf_core_field_exists(struct sock_cgroup_data, cgroup)

/* The id of a cgroup's ancestor at a level, or of the cgroup itself where it is not below that level. */
static __always_inline __u64 id_at_level(bool typed, struct cgroup *cgroup, int level) {
    for (int i = 0; i < MAX_NESTING && GET(typed, cgroup, level) > level; i++) {
        struct cgroup_subsys_state *parent = GET(typed, cgroup, self.parent);
        cgroup = GET(typed, parent, cgroup);
    }
    struct kernfs_node *kn = GET(typed, cgroup, kn);
    return GET(typed, kn, id);
}

static __always_inline struct cgroup *current_cgroup_typed(void) {
    return bpf_get_current_task_btf()->cgroups->dfl_cgrp;
}

static __always_inline struct cgroup *current_cgroup_untyped(void) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    return BPF_CORE_READ(task, cgroups, dfl_cgrp);
}

static __always_inline __u64 current_id_at_level(int level) {
    if (TYPED_CURRENT)
        return id_at_level(true, current_cgroup_typed(), level);
    return id_at_level(false, current_cgroup_untyped(), level);
}

/* Of a socket where it is no TYPED_SOCK_CGROUP; NULL when it has none. */
static __always_inline struct cgroup *tagged_sock_cgroup(struct sock *sk) {
    struct sock_cgroup_data___tagged *data = (void *)&sk->sk_cgrp_data;
    __u64 value = BPF_CORE_READ(data, val);
    return value & 3 ? NULL : (struct cgroup *)value;
}

static __always_inline __u64 sock_id_at_level(struct sock *sk, int level) {
    if (TYPED_SOCK_CGROUP)
        return id_at_level(true, sk->sk_cgrp_data.cgroup, level);
    struct cgroup *cgroup = tagged_sock_cgroup(sk);
    return cgroup ? id_at_level(false, cgroup, level) : 0;
}

#endif
