// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Subject: the cgroup that a block request is charged to, given as an argument of the hook. Requests are
 * issued by workers of the kernel and completed in interrupts, where any task may be current.
 */
#include "dispatch.bpf.h"

/* Which argument is a request and which a bio; -1 is none. */
const volatile int request = 0;
const volatile int bio = -1;

/* Of the cgroup v2 hierarchy. Ids of cgroups are only unique within a hierarchy. */
#define DEFAULT_HIERARCHY 0

static __always_inline struct pod *pod_of_bio(struct bio *subject) {
    struct blkcg_gq *blkg = subject ? GET(TYPED, subject, bi_blkg) : NULL;
    struct blkcg *blkcg = blkg ? GET(TYPED, blkg, blkcg) : NULL;
    struct cgroup *cgroup = blkcg ? GET(TYPED, blkcg, css.cgroup) : NULL;
    struct cgroup_root *root = cgroup ? GET(TYPED, cgroup, root) : NULL;
    return root && GET(TYPED, root, hierarchy_id) == DEFAULT_HIERARCHY ? observed_pod(TYPED, cgroup) : NULL;
}

static __always_inline struct pod *pod_of_request(struct request *subject) {
    return subject ? pod_of_bio(GET(TYPED, subject, bio)) : NULL;
}

/* The offset into the context must be a constant to the verifier, so each has a branch of its own. */
#define TRY_REQUEST(index)                                                                                   \
    if (request == index)                                                                                    \
        pod = pod_of_request((struct request *)ARGUMENT(ctx, index));
#define TRY_BIO(index)                                                                                       \
    if (bio == index)                                                                                        \
        pod = pod_of_bio((struct bio *)ARGUMENT(ctx, index));

SEC("raw_tp")
int dispatch_block_argument(__u64 *ctx) {
    struct pod *pod = NULL;
    TRY_REQUEST(0)
    TRY_REQUEST(1)
    TRY_BIO(0)
    TRY_BIO(1)
    return dispatch(ctx, pod);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
