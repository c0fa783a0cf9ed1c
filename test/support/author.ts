import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { lasting } from '../../scripts/node/place.ts';
import { parseMetricSpec } from '../../sidecar/contract/metric-spec-yaml.ts';
import type { PodCgroup } from '../../sidecar/pod/cgroups.ts';
import { type Probe, startProbe } from '../../sidecar/probe.ts';
import type { ProbeContext } from '../../sidecar/probe-reader.ts';
import { type Hooks, ownHooks } from '../../sidecar/programs/hooks/hooks.ts';
import type { ScalarFamily } from '../../sidecar/series/family.ts';

/** A program as the author of an exporter writes it, who knows of no pod: one plain counter, `increment()`. */
export const counting = (programs: string) => `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} events_total SEC(".maps");

static void increment(void) {
    __u32 zero = 0;
    __u64 *count = bpf_map_lookup_elem(&events_total, &zero);
    if (count)
        __sync_fetch_and_add(count, 1);
}
${programs}`;

export const countingSpec = 'metrics: { counters: [{ name: events_total, help: Events., labels: [] }] }';

const anyContainer: ProbeContext = {
  containerName: String,
  wantsContainer: () => true,
  ...lasting,
  generation: () => 0,
};

/** Compiles a program and starts it as a probe of the pod. */
export async function startAuthored(
  code: string,
  pod: PodCgroup,
  yaml = countingSpec,
  context = anyContainer,
): Promise<Probe> {
  return startCompiled(await compileProgram(code), pod, ownHooks, yaml, context);
}

/** Starts a compiled program as a probe of the pod. */
export function startCompiled(
  elf: Buffer,
  pod: PodCgroup,
  hooks: Hooks,
  yaml = countingSpec,
  context = anyContainer,
): Probe {
  return startProbe({ name: 'mine', elf, spec: parseMetricSpec(yaml, 'mine.yaml') }, pod, context, hooks);
}

/** What `increment()` has counted so far. */
export function eventsOf(probe: Probe): number | undefined {
  const [family] = probe.read();
  return [...(family as ScalarFamily).series][0]?.value;
}
