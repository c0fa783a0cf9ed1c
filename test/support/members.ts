import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { SandboxOptions } from '../../scripts/node/sandbox.ts';
import type { Probe } from '../../sidecar/probe.ts';
import type { Hooks } from '../../sidecar/programs/hooks/hooks.ts';
import { shareHooks } from '../../sidecar/programs/hooks/shared.ts';
import { startCompiled } from './author.ts';
import { type BarePod, barePodFor } from './bare-pod.ts';

/** Counts getpriority, a system call that nothing else here makes. */
export const onSysEnter = (name: string) =>
  `SEC("tp_btf/sys_enter") int ${name}(__u64 *ctx) { if (ctx[1] == __NR_getpriority) increment(); return 0; }`;
export const calls = (times: number) => [
  'python3',
  '-c',
  `import os\nfor _ in range(${times}): os.getpriority(0, 0)`,
];

/** A pod whose sidecar shares dispatchers in a bpffs. */
export interface Member extends BarePod {
  hooks: Hooks;
  /** What its sidecar had to warn of. */
  warnings: string[];
}

export async function memberOf(t: TestContext, bpffs: string, options?: SandboxOptions): Promise<Member> {
  const bare = await barePodFor(t, options);
  const warnings: string[] = [];
  const log = (level: string, message: string) => level === 'warn' && warnings.push(message);
  return { ...bare, hooks: shareHooks(bpffs, bare.pod, log), warnings };
}

/** Starts a compiled program, all of which must be attached. */
export async function start(t: TestContext, { pod, hooks }: Member, elf: Buffer): Promise<Probe> {
  const probe = await hooks.exclusively(() => startCompiled(elf, pod, hooks));
  let isOpen = true;
  const close = probe.close;
  t.after(() => isOpen && close());
  assert.deepEqual(
    probe.programs.flatMap(({ problem }) => problem ?? []),
    [],
  );
  return {
    ...probe,
    close() {
      isOpen = false;
      close();
    },
  };
}

export const stop = ({ hooks }: Member, probe: Probe) => hooks.exclusively(() => probe.close());
