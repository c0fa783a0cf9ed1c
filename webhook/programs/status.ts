import type { InvalidProgram } from './resolve.ts';
import type { Program } from './resource.ts';

/** What a condition of a resource has as its reason: one word, for programs. */
export const conditionReasons = {
  Accepted: ['Valid', 'Invalid', 'NotAllowed'],
  Available: [
    'Available',
    'ConfigMapMissing',
    'SecretMissing',
    'KeyMissing',
    'NotAnObject',
    'NameTaken',
    'NotPermitted',
  ],
  Loaded: ['Attached', 'NotAttached', 'NoPods', 'NoAnswer'],
} as const;

/** What is found out about one side of a resource. */
export interface Finding {
  status: 'True' | 'False' | 'Unknown';
  reason: (typeof conditionReasons)[keyof typeof conditionReasons][number];
  /** One sentence, for people. */
  message: string;
}

export interface Condition extends Finding {
  type: string;
  observedGeneration?: number;
  lastTransitionTime?: string;
}

/** `status` of a `BPF` resource. */
export interface BpfStatus {
  observedGeneration?: number;
  pods?: number;
  conditions?: Condition[];
}

/** What there is to tell of a resource. Those of its parts that are not known yet are left out. */
export interface Told {
  generation: number;
  program: Program | InvalidProgram;
  /** Why pods of the namespace may not have programs. */
  off: string | undefined;
  pods: number;
  /** Whether what it names is there, and can be used. */
  available?: Finding;
  /** Whether sidecars have loaded it. */
  loaded?: Finding;
}

/**
 * The status to write in place of `before`, or undefined when that tells the same. A condition keeps the time of its last
 * transition as long as its status is the same. Pure.
 */
export function nextStatus(before: BpfStatus, told: Told, now: Date): BpfStatus | undefined {
  const { generation, pods } = told;
  const findings = { Accepted: accepted(told), Available: told.available, Loaded: told.loaded };
  const conditions: Condition[] = [];
  let same = before.observedGeneration === generation && before.pods === pods;
  for (const [type, finding] of Object.entries(findings)) {
    const old = before.conditions?.find((condition) => condition.type === type);
    if (finding === undefined) {
      same &&= old === undefined;
      continue;
    }
    same &&= old?.observedGeneration === generation && isSame(old, finding);
    const since = old?.status === finding.status ? old.lastTransitionTime : undefined;
    conditions.push({
      type,
      ...finding,
      observedGeneration: generation,
      lastTransitionTime: since ?? now.toISOString().replace(/\.\d+/, ''),
    });
  }
  return same ? undefined : { observedGeneration: generation, pods, conditions };
}

/** The conditions that have become false. */
export function fallen(before: BpfStatus, after: BpfStatus): Condition[] {
  const wasFalse = (type: string) =>
    before.conditions?.some((condition) => condition.type === type && condition.status === 'False');
  return (after.conditions ?? []).filter(({ type, status }) => status === 'False' && !wasFalse(type));
}

function accepted({ program, off }: Told): Finding {
  if (off !== undefined) return { status: 'False', reason: 'NotAllowed', message: off };
  if ('invalid' in program) return { status: 'False', reason: 'Invalid', message: program.invalid };
  return { status: 'True', reason: 'Valid', message: 'pods of the namespace can have it' };
}

function isSame(one: Finding, other: Finding): boolean {
  return one.status === other.status && one.reason === other.reason && one.message === other.message;
}
