import { readFileSync } from 'node:fs';
import { type Capability, capabilityNumbers } from './contract/capabilities.ts';
import { errno } from './libbpf/memory.ts';
import { libc } from './libbpf/native.ts';

const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** Always in force: kernels before 5.19 let nobody read maps without it where eBPF is for privileged users only. */
const resting: readonly Capability[] = ['BPF'];

/** Capabilities that are only in force while something needs them. */
export interface Privilege {
  /** Runs an action with all that this process may have, also while it awaits something. */
  during<T>(action: () => Promise<T>): Promise<T>;
  /** The same for what ends at once. */
  briefly<T>(action: () => T): T;
}

/**
 * Gives up for good every capability that is not allowed, in every thread: the process begins anew without them where it
 * has more, and is then, by the kernel's rules for exec, left with what its bounding set allows.
 */
export function limitCapabilities(allowed: readonly Capability[]): void {
  const mask = maskOf(allowed);
  const { bounding, effective } = readStatus();
  const surplus = bounding & ~mask;
  if (surplus === 0n || (effective & maskOf(['SETPCAP'])) === 0n) return;
  for (let number = 0n; surplus >> number > 0n; number++)
    if ((surplus >> number) & 1n && libc.prctl(PR_CAPBSET_DROP, Number(number), 0, 0, 0) < 0) return;
  process.execve!(
    process.execPath,
    [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    process.env,
  );
}

/** Rests from all capabilities but the one that reading needs, and begins with that. */
export function createPrivilege(): Privilege {
  const permitted = readStatus().permitted;
  let users = 0;
  const raise = () => {
    if (users++ === 0) setEffective(permitted, permitted);
  };
  const lower = () => {
    if (--users === 0) setEffective(permitted & maskOf(resting), permitted);
  };
  libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  setEffective(permitted & maskOf(resting), permitted);
  return {
    async during(action) {
      raise();
      try {
        return await action();
      } finally {
        lower();
      }
    },
    briefly(action) {
      raise();
      try {
        return action();
      } finally {
        lower();
      }
    },
  };
}

function maskOf(names: readonly Capability[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(capabilityNumbers[name])), 0n);
}

/** Capabilities of this thread, the one that calls into C. */
function readStatus(): { permitted: bigint; effective: bigint; bounding: bigint } {
  const status = readFileSync('/proc/thread-self/status', 'utf8');
  const mask = (field: string) =>
    BigInt(`0x${new RegExp(`^${field}:\\t([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  return { permitted: mask('CapPrm'), effective: mask('CapEff'), bounding: mask('CapBnd') };
}

/** capset(2) for this thread: nothing can be inherited. */
function setEffective(effective: bigint, permitted: bigint): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(LINUX_CAPABILITY_VERSION_3, 0);
  const data = Buffer.alloc(24);
  for (const half of [0, 1]) {
    const shift = BigInt(32 * half);
    data.writeUInt32LE(Number((effective >> shift) & 0xffff_ffffn), 12 * half);
    data.writeUInt32LE(Number((permitted >> shift) & 0xffff_ffffn), 12 * half + 4);
  }
  if (libc.capset(header, data) < 0) throw new Error(`capabilities cannot be set (errno ${errno()})`);
}
