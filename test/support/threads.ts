import { readdirSync, readFileSync } from 'node:fs';
import { type Capability, capabilityNumbers } from '../../sidecar/contract/capabilities.ts';

/** What /proc says of a thread. */
export interface Thread {
  name: string;
  permitted: bigint;
  effective: bigint;
  bounding: bigint;
  /** Of the sets that hand capabilities on, both. */
  inheritable: bigint;
  ambient: bigint;
  noNewPrivileges: string;
}

/** The threads of a process; the main one is the first. */
export function threadsOf(pid: number): [main: Thread, ...others: Thread[]] {
  const threads = readdirSync(`/proc/${pid}/task`)
    .sort((a, b) => Number(a) - Number(b))
    .map((task): Thread => {
      const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
      const field = (name: string) => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)![1]!;
      const bits = (name: string) => BigInt(`0x${field(name)}`);
      return {
        name: field('Name'),
        permitted: bits('CapPrm'),
        effective: bits('CapEff'),
        bounding: bits('CapBnd'),
        inheritable: bits('CapInh'),
        ambient: bits('CapAmb'),
        noNewPrivileges: field('NoNewPrivs'),
      };
    });
  return threads as [Thread, ...Thread[]];
}

export function maskOf(names: readonly Capability[]): bigint {
  return names.reduce((bits, name) => bits | (1n << BigInt(capabilityNumbers[name])), 0n);
}
