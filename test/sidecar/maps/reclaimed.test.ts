import assert from 'node:assert/strict';
import { rmdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { placeOf } from '../../../scripts/node/place.ts';
import { createSandbox } from '../../../scripts/node/sandbox.ts';
import { createContainers } from '../../../sidecar/pod/containers.ts';
import type { ScalarFamily } from '../../../sidecar/series/family.ts';
import { startAuthored } from '../../support/author.ts';
import { eventually } from '../../support/eventually.ts';
import { output } from '../../support/pod.ts';

const containersToCome = 12;
const entries = 8;

/** Counts calls of getpriority by container. */
const program = (maps: string, count: string) => `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
${maps}
SEC("raw_tp/sys_enter") int entered(struct bpf_raw_tracepoint_args *ctx) {
    if (ctx->args[1] != __NR_getpriority)
        return 0;
    __u64 id = bpf_get_current_cgroup_id();
    ${count}
    return 0;
}`;
const counting = (map: string, number: string) => `
    ${number} one = 1, *count = bpf_map_lookup_elem(${map}, &id);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        bpf_map_update_elem(${map}, &id, &one, BPF_ANY);`;
const hash = (value: string) =>
  `__uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, ${entries}); __type(key, __u64); __type(value, ${value});`;
const container = '{ name: container, size: 8, decoders: [{ name: cgroup }] }';

const kinds: Record<string, { code: string; labels: string }> = {
  'a hash of u64': {
    code: program(`struct { ${hash('__u64')} } calls_total SEC(".maps");`, counting('&calls_total', '__u64')),
    labels: container,
  },
  'a hash of u32': {
    code: program(`struct { ${hash('__u32')} } calls_total SEC(".maps");`, counting('&calls_total', '__u32')),
    labels: container,
  },
  'an array of hashes': {
    code: program(
      `struct inner { ${hash('__u64')} } inner SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 1); __type(key, __u32); __array(values, struct inner); }
    calls_total SEC(".maps") = { .values = { &inner } };`,
      `__u32 zero = 0;
    void *calls = bpf_map_lookup_elem(&calls_total, &zero);
    if (!calls)
        return 0;
    ${counting('calls', '__u64')}`,
    ),
    labels: `{ name: index, size: 4, decoders: [{ name: uint }] }, ${container}`,
  },
  'a ring buffer': {
    code: program(
      'struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } calls_total SEC(".maps");',
      'bpf_ringbuf_output(&calls_total, &id, sizeof(id), 0);',
    ),
    labels: container,
  },
};

describe('what many containers have counted, one after the other', () => {
  for (const [kind, { code, labels }] of Object.entries(kinds))
    test(`in ${kind} is one series, and its map never full`, async (t) => {
      const sandbox = await createSandbox();
      t.after(() => sandbox.destroy());
      const pod = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
      const containers = createContainers(pod.path, sandbox.containerLogs, sandbox);
      const probe = await startAuthored(
        code,
        pod,
        `metrics: { counters: [{ name: calls_total, labels: [${labels}] }] }`,
        {
          ...containers,
          containerName: containers.nameOf,
          wantsContainer: () => true,
        },
      );
      t.after(() => probe.close());
      for (let jobs = 1; jobs <= containersToCome; jobs++) {
        const job = sandbox.addContainer('job');
        containers.refresh();
        await output(job, 'python3', '-c', 'import os\nfor _ in range(3): os.getpriority(0, 0)');
        await eventually(() => rmdirSync(job.cgroup));
        containers.refresh();
        const [family] = probe.read() as ScalarFamily[];
        const series = [...family!.series];
        assert.deepEqual(
          series.map(({ value }) => value),
          [3 * jobs],
        );
        assert.match(series[0]!.labels, /container="job"/);
        for (const map of probe.fullness()) assert.equal(map.entries, 0);
      }
    });
});
