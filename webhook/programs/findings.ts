import type { Log } from '../../sidecar/contract/log.ts';
import type { Api } from '../kubernetes/client.ts';
import { createLookout } from './availability.ts';
import type { Known } from './known.ts';
import { findLoaded, maxAsked } from './loads.ts';
import { runRounds } from './rounds.ts';
import type { Finding } from './status.ts';

/** What was found out about a resource by asking others. */
export interface Findings {
  available: Finding;
  loaded: Finding;
}

export interface FindingsOptions {
  api: Api;
  log: Log;
  signal: AbortSignal;
  /** The resources that pods can have, or undefined while they are not known for sure. */
  usable(): Known[] | undefined;
  /** The names of the pods that run a resource, in the order in which they are asked. */
  podsOf(known: Known): readonly string[];
}

/** Milliseconds between two rounds. */
const pause = 1_000;
/** Milliseconds after which a resource is looked at again: though nothing has changed, and when other pods run it. */
const lookAgain = { unchanged: 60_000, otherPods: 5_000 };

/**
 * Looks at each resource when it comes or changes, and then once a minute: one after the other, however many there are.
 * Returns what was found of a resource last, if anything.
 */
export function watchFindings(options: FindingsOptions): (known: Known) => Findings | undefined {
  const { api, log, signal, usable, podsOf } = options;
  const lookout = createLookout(api);
  const looked = new Map<string, { generation: number; asked: string; at: number; found?: Findings }>();

  async function lookAt(known: Known): Promise<void> {
    const { uid, namespace, name, generation, program } = known;
    if ('invalid' in program) return;
    const last = looked.get(uid);
    const pods = podsOf(known).slice(0, maxAsked);
    const asked = pods.join();
    const age = last === undefined ? Infinity : performance.now() - last.at;
    if (last?.generation === generation && age < lookAgain[last.asked === asked ? 'unchanged' : 'otherPods'])
      return;
    const look = { generation, asked, at: performance.now() };
    looked.set(uid, { ...look, ...(last?.found && { found: last.found }) });
    const available = await lookout.look(known, program);
    const loaded = await findLoaded(api, namespace, name, pods);
    looked.set(uid, { ...look, found: { available, loaded } });
  }

  async function round(): Promise<void> {
    const resources = usable();
    if (resources === undefined) return;
    const uids = new Set(resources.map(({ uid }) => uid));
    for (const uid of looked.keys()) {
      if (uids.has(uid)) continue;
      looked.delete(uid);
      lookout.forget(uid);
    }
    let problem: unknown;
    for (const known of resources) {
      if (signal.aborted) return;
      // One that cannot be asked about must not keep the others from it.
      await lookAt(known).catch((error) => (problem ??= error));
    }
    if (problem) throw problem;
  }

  void runRounds({ log, signal, pause, complaint: 'cannot look at what BPF resources name' }, round);
  return ({ uid, generation }) => {
    const last = looked.get(uid);
    return last?.generation === generation ? last.found : undefined;
  };
}
