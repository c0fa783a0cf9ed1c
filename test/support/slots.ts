import type { Probe } from '../../sidecar/probe.ts';
import type { ScalarFamily } from '../../sidecar/series/family.ts';

/** As `counting` of author.ts, with a counter for each slot: `add(slot, n)`. */
export const countingSlots = (programs: string) => `
#include <linux/bpf.h>
#include <stdbool.h>
#include <asm/ptrace.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u64);
} events_total SEC(".maps");

static __attribute__((always_inline)) void add(__u32 slot, __u64 n) {
    __u64 *count = bpf_map_lookup_elem(&events_total, &slot);
    if (count)
        __sync_fetch_and_add(count, n);
}
${programs}`;

export const slotsSpec =
  'metrics: { counters: [{ name: events_total, help: Events., labels: [{ name: slot, size: 4, decoders: [{ name: uint }] }] }] }';

/** The counts of the first slots so far. */
export function slotsOf(probe: Probe, slots: number): number[] {
  const [family] = probe.read();
  const counts = new Array<number>(slots).fill(0);
  for (const { labels, value } of (family as ScalarFamily).series) {
    const slot = Number(/^slot="(\d+)"$/.exec(labels)?.[1]);
    if (slot < slots) counts[slot] = value;
  }
  return counts;
}
