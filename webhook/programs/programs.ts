import type { Log } from '../../sidecar/contract/log.ts';
import { applyObject } from '../kubernetes/apply.ts';
import { type Api, ApiError } from '../kubernetes/client.ts';
import type { ObjectReference, Report } from '../kubernetes/events.ts';
import type { InjectedPods } from '../pods/injected-pods.ts';
import { programsOff } from './allowed.ts';
import { watchFindings } from './findings.ts';
import { type Known, watchKnown } from './known.ts';
import { indexByProgram } from './pods.ts';
import type { NamespacePrograms } from './resolve.ts';
import { bpfApi, bpfGroup, bpfVersion } from './resource.ts';
import { runRounds } from './rounds.ts';
import { type BpfStatus, fallen, nextStatus } from './status.ts';

export interface ProgramsOptions {
  api: Api;
  log: Log;
  /** Namespaces whose pods may have programs of a user's own; `*` is all. */
  allowed: readonly string[];
  injectedPods(): InjectedPods;
  signal: AbortSignal;
  /** Takes an Event for a condition that has become false, from the replica that wrote it. */
  report: Report;
}

export interface Programs {
  /** What admission knows of a namespace. */
  programsOf(namespace: string): NamespacePrograms;
  /** Whether they are being read for the first time, so that it is worth waiting for them. */
  isPending(): boolean;
}

/** Milliseconds between two rounds of writing. */
const pause = 2_000;
const httpStatus = { notFound: 404, conflict: 409 } as const;

/**
 * Follows the `BPF` resources until the signal, and keeps their status. Where programs are allowed nowhere, the API server
 * is not asked for anything.
 *
 * Every replica writes: only what differs from what it sees, on top of just that version, and nothing while its view may be
 * old. So they come to the same, and none has to lead.
 */
export function watchPrograms(options: ProgramsOptions): Programs {
  const { api, log, allowed, signal, report } = options;
  if (allowed.length === 0)
    return { programsOf: (namespace) => ({ off: programsOff(namespace, allowed)! }), isPending: () => false };

  const known = watchKnown(api, log, allowed);
  signal.addEventListener('abort', known.watched.stop);
  const pods = options.injectedPods();
  const podsBy = indexByProgram(pods);
  const isFresh = () =>
    [known.watched, pods].every(({ isSynced, problem }) => isSynced() && problem() === undefined);
  const podsOf = ({ namespace, name }: Known) => podsBy(namespace, name);
  const offFor = ({ namespace }: Known) => programsOff(namespace, allowed);
  const isUsable = (one: Known) => offFor(one) === undefined && !('invalid' in one.program);
  const usable = () => (isFresh() ? [...known.watched.objects.values()].filter(isUsable) : undefined);
  const findingsOf = watchFindings({ api, log, signal, usable, podsOf });

  async function write(one: Known): Promise<void> {
    const { generation, program } = one;
    const findings = findingsOf(one);
    // It will be looked at; what another replica has found stays until then.
    if (findings === undefined && isUsable(one)) return;
    const told = { generation, program, off: offFor(one), pods: podsOf(one).length, ...findings };
    const status = nextStatus(one.status, told, new Date());
    if (status === undefined || !(await applyStatus(api, one, status))) return;
    for (const { type, reason, message } of fallen(one.status, status))
      report({
        about: referenceTo(one),
        type: 'Warning',
        reason: `Not${type}`,
        message: `${reason}: ${message}`,
      });
  }

  async function round(): Promise<void> {
    for (const one of known.watched.objects.values()) {
      if (!isFresh() || signal.aborted) return;
      await write(one);
    }
  }

  void runRounds({ log, signal, pause, complaint: 'cannot write the status of BPF resources' }, round);
  return {
    programsOf: known.of,
    isPending: () => !known.watched.isSynced() && known.watched.problem() === undefined,
  };
}

function referenceTo({ namespace, name, uid }: Known): ObjectReference {
  return { apiVersion: `${bpfGroup}/${bpfVersion}`, kind: 'BPF', namespace, name, uid };
}

/** Resolves to whether it was written: another replica may have been first, or the resource may have gone. */
async function applyStatus(api: Api, known: Known, status: BpfStatus): Promise<boolean> {
  const { namespace, name, resourceVersion } = known;
  const object = {
    apiVersion: `${bpfGroup}/${bpfVersion}`,
    kind: 'BPF',
    metadata: { namespace, name, resourceVersion },
    status,
  };
  try {
    await applyObject(api, `${bpfApi}/namespaces/${namespace}/bpfs/${name}/status`, object, { force: true });
    return true;
  } catch (error) {
    const refused = error instanceof ApiError ? error.status : undefined;
    if (refused === httpStatus.conflict || refused === httpStatus.notFound) return false;
    throw error;
  }
}
