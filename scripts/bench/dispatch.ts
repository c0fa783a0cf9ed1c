import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attachTrace } from '../../sidecar/libbpf/link.ts';
import { closeObject, loadObject, openObject, programFd } from '../../sidecar/libbpf/object.ts';
import { readStatistics } from '../../sidecar/libbpf/statistics.ts';
import { type Probe, startProbe } from '../../sidecar/probe.ts';
import { shareHooks } from '../../sidecar/programs/hooks/shared.ts';
import { compileProgram } from '../bpf/compile-program.ts';
import { lasting, placeOf } from '../node/place.ts';
import { type Container, createSandbox, type Sandbox } from '../node/sandbox.ts';
import { note } from '../progress.ts';
import type { Row } from './row.ts';

const statisticsSetting = '/proc/sys/kernel/bpf_stats_enabled';
const podCounts = [1, 100];
const work = ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1', 'count=300000', 'status=none'];
const context = { containerName: () => 'web', ...lasting, wantsContainer: () => true, generation: () => 0 };

/** An empty program, and the map without which a probe shows nothing. */
const emptyProgram = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } zeros_total SEC(".maps");
SEC("tp_btf/sys_enter") int empty(__u64 *ctx) { return 0; }
`;

/**
 * Nanoseconds that the kernel's own statistics tell of an event on sys_enter: of an empty program attached directly, of the
 * dispatcher with such a program in and out of the pod, with one and with a hundred pods on the node. The statistics take some 20 ns themselves, in each of these alike.
 */
export async function benchDispatch(): Promise<Row[]> {
  const before = readFileSync(statisticsSetting, 'utf8');
  writeFileSync(statisticsSetting, '1');
  try {
    const elf = await compileProgram(emptyProgram);
    const direct = await measureDirect(elf);
    const rows: Row[] = [{ what: 'sys_enter: an empty program, attached directly', value: ns(direct) }];
    for (const pods of podCounts) {
      const { outside, inside } = await measureShared(elf, pods);
      for (const [where, measured] of [
        ['outside', outside],
        ['in', inside],
      ] as const)
        rows.push({
          what: `sys_enter: dispatcher with ${pods} pod${pods > 1 ? 's' : ''}, ${where} the pod, above that`,
          value: ns(measured - direct),
          target: '< 60 ns',
        });
    }
    return rows;
  } finally {
    writeFileSync(statisticsSetting, before);
  }
}

async function measureDirect(elf: Buffer): Promise<number> {
  const object = openObject('empty', elf);
  loadObject(object);
  const link = attachTrace(object.programs[0]!);
  const cost = await costOf(() => readStatistics(programFd(object.programs[0]!)));
  link.close();
  closeObject(object);
  return cost;
}

async function measureShared(elf: Buffer, count: number): Promise<{ outside: number; inside: number }> {
  const bpffs = mkdtempSync(join(tmpdir(), 'bpf-sidecar-bench-'));
  execFileSync('mount', ['-t', 'bpf', 'bpf', bpffs]);
  const sandboxes: Sandbox[] = [];
  const stops: (() => Promise<void>)[] = [];
  try {
    let first: { probe: Probe; web: Container } | undefined;
    for (let index = 0; index < count; index++) {
      note(`pod ${index + 1} of ${count}`);
      const sandbox = await createSandbox();
      sandboxes.push(sandbox);
      const pod = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
      const hooks = shareHooks(bpffs, pod, () => {});
      const probe = await hooks.exclusively(() => startProbe({ name: 'empty', elf }, pod, context, hooks));
      stops.push(() => hooks.exclusively(() => probe.close()));
      first ??= { probe, web: sandbox.addContainer('web') };
    }
    note(`events with ${count} ${count === 1 ? 'pod' : 'pods'}`);
    const { probe, web } = first!;
    const statistics = () => probe.statistics()[0]!;
    return { outside: await costOf(statistics), inside: await costOf(statistics, web) };
  } finally {
    for (const stop of stops) await stop();
    for (const sandbox of sandboxes) await sandbox.destroy();
    execFileSync('umount', [bpffs]);
    rmdirSync(bpffs);
  }
}

/** The median of some rounds of work, outside of every pod or in a container. */
async function costOf(
  statistics: () => { runs: number; seconds: number },
  container?: Container,
): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = statistics();
    if (container) await once(container.spawn(work, { stdio: 'ignore' }), 'exit');
    else execFileSync(work[0]!, work.slice(1));
    const end = statistics();
    rounds.push((1e9 * (end.seconds - start.seconds)) / (end.runs - start.runs));
  }
  return rounds.sort((a, b) => a - b)[2]!;
}

function ns(value: number): string {
  return `${value.toFixed(0)} ns`;
}

if (import.meta.main) console.table(await benchDispatch());
