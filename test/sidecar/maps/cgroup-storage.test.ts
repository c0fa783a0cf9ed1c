import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { compileProgram } from '../../../scripts/bpf/compile-program.ts';
import { placeOf } from '../../../scripts/node/place.ts';
import { createSandbox } from '../../../scripts/node/sandbox.ts';
import { parseMetricSpec } from '../../../sidecar/contract/metric-spec-yaml.ts';
import { textFormat } from '../../../sidecar/exposition/text.ts';
import { createContainers } from '../../../sidecar/pod/containers.ts';
import { type Probe, startProbe } from '../../../sidecar/probe.ts';
import { eventually } from '../../support/eventually.ts';
import { output } from '../../support/pod.ts';

const code = `
#include "cgroup.bpf.h"
#define __NR_getpriority ${process.arch === 'x64' ? 140 : 141}
static void *(*storage_get)(void *map, struct cgroup *cgroup, void *value, __u64 flags) = (void *)210;
struct {
    __uint(type, 32); /* BPF_MAP_TYPE_CGRP_STORAGE */
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u64);
} calls_total SEC(".maps");
SEC("tp_btf/sys_enter") int BPF_PROG(entered, struct pt_regs *regs, long number) {
    __u64 *count;
    /* 1: make it when there is none. */
    if (number == __NR_getpriority && (count = storage_get(&calls_total, current_cgroup_typed(), 0, 1)))
        __sync_fetch_and_add(count, 1);
    return 0;
}`;

async function observe(t: TestContext, yaml: string | undefined) {
  const sandbox = await createSandbox();
  t.after(() => sandbox.destroy());
  const sidecar = sandbox.addContainer('bpf-sidecar');
  const pod = placeOf(sandbox, sidecar);
  const containers = createContainers(pod.path, sandbox.containerLogs, sandbox);
  const source = { name: 'mine', elf: await compileProgram(code) };
  const probe = startProbe(
    yaml === undefined ? source : { ...source, spec: parseMetricSpec(yaml, 'mine.yaml') },
    pod,
    {
      ...containers,
      containerName: containers.nameOf,
      containerCgroups: containers.cgroups,
      wantsContainer: () => true,
    },
  );
  t.after(() => probe.close());
  assert.deepEqual(
    probe.programs.flatMap(({ problem, remark }) => problem ?? remark ?? []),
    [],
  );
  const lines = () => {
    containers.refresh();
    return linesOf(probe);
  };
  return { sandbox, sidecar, lines };
}

function linesOf(probe: Probe): string[] {
  const lines = textFormat.render(probe.read(), '').toString().split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith('#')).sort();
}

const calls = (times: number) => [
  'python3',
  '-c',
  `import os\nfor _ in range(${times}): os.getpriority(0, 0)`,
];

for (const [what, yaml, name, label] of [
  ['without a spec', undefined, 'mine_calls_total', 'container'],
  ['without labels', 'metrics: { counters: [{ name: calls_total }] }', 'bpf_calls_total', 'container'],
  [
    'with labels',
    'metrics: { counters: [{ name: calls_total, labels: [{ name: who, size: 8, decoders: [{ name: cgroup }] }] }] }',
    'bpf_calls_total',
    'who',
  ],
] as const)
  test(`what programs keep with a cgroup is read for each container, ${what}`, async (t) => {
    const { sandbox, sidecar, lines } = await observe(t, yaml);
    assert.deepEqual(lines(), []);
    const [web, worker] = [sandbox.addContainer('web'), sandbox.addContainer('worker')];
    await output(web, ...calls(7));
    await output(worker, ...calls(3));
    await output(sidecar, ...calls(5));
    assert.deepEqual(lines(), [`${name}{${label}="web"} 7`, `${name}{${label}="worker"} 3`]);

    // As a container does that manages cgroups of its own.
    const nested = join(worker.cgroup, 'nested');
    mkdirSync(nested);
    await output(worker, 'sh', '-c', 'echo 0 > "$0/cgroup.procs" && exec "$@"', nested, ...calls(10));
    assert.deepEqual(lines(), [`${name}{${label}="web"} 7`, `${name}{${label}="worker"} 13`]);

    await eventually(() => rmdirSync(web.cgroup));
    assert.deepEqual(lines(), [`${name}{${label}="worker"} 13`]);
  });
