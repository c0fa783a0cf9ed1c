// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The cgroup ids from the root of the hierarchy down to the current task, by level. Run once, never attached:
 * it tells the sidecar the true level of its pod cgroup also where paths do not, in a cgroup namespace.
 */
#include "cgroup.bpf.h"

#define MAX_LEVELS 32

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64[MAX_LEVELS]);
} ancestors SEC(".maps");

SEC("raw_tp")
int read_ancestors(void *ctx) {
    __u32 zero = 0;
    __u64 *ids = bpf_map_lookup_elem(&ancestors, &zero);
    if (!ids)
        return 0;
    /* Not with bpf_get_current_ancestor_cgroup_id, which such programs may not call on Linux 5.10. */
    struct cgroup *cgroup = current_cgroup_untyped();
    for (int i = 0; i < MAX_LEVELS; i++) {
        __u32 level = BPF_CORE_READ(cgroup, level);
        if (level < MAX_LEVELS)
            ids[level] = BPF_CORE_READ(cgroup, kn, id);
        if (level == 0)
            break;
        cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
