/** Sizes of the pod's writes, in half bytes only so that there is a multiplier, with exemplars. */
export const writeSizes = `
#include "maps.bpf.h"
#include "exemplars.bpf.h"
#define BUCKETS 4

struct size_key {
    __u64 container;
};

struct size_stats {
    HISTOGRAM(sizes, BUCKETS);
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, struct size_key);
    __type(value, struct size_stats);
} sizes SEC(".maps");

EXEMPLARS(size_exemplars, struct size_key, 64);

static const struct size_stats none;

struct write_call {
    __u64 head, number, file, data, size;
};

SEC("tracepoint/syscalls/sys_enter_write")
int on_write(struct write_call *call) {
    struct size_key key = {.container = bpf_get_current_cgroup_id()};
    struct size_stats *stats = find_or_make(&sizes, &key, &none);
    __u64 size = call->size;
    if (!stats)
        return 0;
    observe(stats->sizes, BUCKETS, ceil_log2(size), size);
    keep_exemplar(size_exemplars, key, ceil_log2(size), size);
    return 0;
}
`;

export const writeSizesSpec = `
metrics:
  histograms:
    - name: write_half_bytes
      map: sizes
      value: sizes
      exemplars: size_exemplars
      bucket_type: exp2
      bucket_max: 3
      bucket_multiplier: 0.5
      labels: [{ name: container, size: 8, decoders: [{ name: cgroup }] }]
`;
