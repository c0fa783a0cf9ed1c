import { readFileSync } from 'node:fs';
import { type Capability, capabilityNumbers, forThreads } from './contract/capabilities.ts';
import { addressOf } from './libbpf/call.ts';
import { errno } from './libbpf/memory.ts';
import { libc, userCall } from './libbpf/native.ts';

/** <linux/prctl.h> */
const PR_SET_PDEATHSIG = 1;
const PR_GET_PDEATHSIG = 2;
const PR_SET_KEEPCAPS = 8;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** System call numbers of setresuid(2). */
const callNumbers: Partial<Record<NodeJS.Architecture, number>> = { x64: 117, arm64: 147 };
/** The user that owns nothing; and root. */
const nobody = 65534;
const root = 0;

/** Always in force: kernels before 5.19 let nobody read maps without it where eBPF is for privileged users only. */
const resting: readonly Capability[] = ['BPF'];

/** Node starts a thread that opens its debugger, to everybody in the pod's network namespace, on SIGUSR1. */
const withoutDebugger = '--disable-sigusr1';

/** Capabilities that are only in force while something needs them. */
export interface Privilege {
  /** Runs an action with all that this process may have, also while it awaits something. */
  during<T>(action: () => Promise<T>): Promise<T>;
  /** The same for what ends at once. */
  briefly<T>(action: () => T): T;
  /** Gives up for good what is not among these, or at rest in force. */
  keepOnly(names: readonly Capability[]): void;
}

/**
 * Gives up for good every capability that is not allowed, and the right to gain any by execve(2), in every thread: the
 * process begins anew. By the kernel's rules its image has then, in all threads and in force, what this thread had, for
 * it may not gain any. What it has no more use for than to leave its threads without (`forThreads`) stays until
 * createPrivilege.
 */
export function limitCapabilities(allowed: readonly Capability[]): void {
  const { permitted, effective, bounding, noNewPrivileges } = readStatus();
  const kept = maskOf([...allowed, ...forThreads]);
  if (noNewPrivileges && (permitted & ~kept) === 0n) return;
  const surplus = bounding & ~kept;
  if ((effective & maskOf(['SETPCAP'])) !== 0n)
    for (let number = 0n; surplus >> number > 0n; number++)
      if ((surplus >> number) & 1n) libc.prctl(PR_CAPBSET_DROP, Number(number), 0, 0, 0);
  libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  setCapabilities(permitted & kept, permitted & kept);
  const options = process.execArgv.filter((option) => option !== withoutDebugger);
  process.execve!(
    process.execPath,
    [process.execPath, withoutDebugger, ...options, ...process.argv.slice(1)],
    process.env,
  );
}

/**
 * Takes all capabilities from the threads that run already but this one, which is the one that calls into C. The kernel
 * lets a thread change its own only; but it takes them from one that stops being root, and libc has all threads change
 * their user together. This one keeps what it may have and is root again. Returns whether it could.
 */
export function emptyOtherThreads(): boolean {
  const { permitted, effective } = readStatus();
  if ((effective & maskOf(forThreads)) === 0n) return false;
  const parentsDeath = Buffer.alloc(4);
  libc.prctl(PR_GET_PDEATHSIG, addressOf(parentsDeath), 0, 0, 0);
  libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (libc.setresuid(nobody, nobody, nobody) < 0) return false;
  setCapabilities(permitted, permitted);
  if (userCall.syscall(callNumbers[process.arch] ?? -1, root, root, root) < 0)
    throw new Error(`the main thread cannot be root again (errno ${errno()})`);
  libc.prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  // A change of the user has the kernel forget that this process may have to end with its parent.
  libc.prctl(PR_SET_PDEATHSIG, parentsDeath.readInt32LE(), 0, 0, 0);
  return true;
}

/** Rests from all capabilities but the one that reading needs, and begins with that. Threads start like it from now on. */
export function createPrivilege(): Privilege {
  let permitted = readStatus().permitted & ~maskOf(forThreads);
  let users = 0;
  const apply = () => setCapabilities(users > 0 ? permitted : permitted & maskOf(resting), permitted);
  const raise = () => {
    if (users++ === 0) apply();
  };
  const lower = () => {
    if (--users === 0) apply();
  };
  apply();
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
    keepOnly(names) {
      permitted &= maskOf([...names, ...resting]);
      apply();
    },
  };
}

function maskOf(names: readonly Capability[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(capabilityNumbers[name])), 0n);
}

interface ThreadStatus {
  permitted: bigint;
  effective: bigint;
  bounding: bigint;
  /** Whether execve(2) gives nothing that the thread has not. */
  noNewPrivileges: boolean;
}

/** Of this thread, the one that calls into C. */
function readStatus(): ThreadStatus {
  const status = readFileSync('/proc/thread-self/status', 'utf8');
  const field = (name: string) => new RegExp(`^${name}:\\t([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0';
  const mask = (name: string) => BigInt(`0x${field(name)}`);
  return {
    permitted: mask('CapPrm'),
    effective: mask('CapEff'),
    bounding: mask('CapBnd'),
    noNewPrivileges: field('NoNewPrivs') === '1',
  };
}

/** capset(2) for this thread: nothing can be inherited. */
function setCapabilities(effective: bigint, permitted: bigint): void {
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
