import type { Log } from '../../sidecar/contract/log.ts';
import type { Api } from '../kubernetes/client.ts';
import { injectedPods } from '../kubernetes/pods.ts';
import { type Watched, watchObjects } from '../kubernetes/watch.ts';
import { type InjectedPod, readInjectedPod } from './injected-pod.ts';

type Listener = (pod: InjectedPod | undefined, before: InjectedPod | undefined) => void;

/** All injected pods of the cluster that have not ended. */
export interface InjectedPods extends Watched<InjectedPod> {
  /** Calls with each pod that is known already, and whenever one comes, is changed, or goes: then without `pod`. */
  follow(listener: Listener): void;
}

/**
 * Returns what follows the injected pods until the signal, from its first call on: one watch for all who want to know, and
 * none where nobody does.
 */
export function shareInjectedPods(api: Api, log: Log, signal: AbortSignal): () => InjectedPods {
  let pods: InjectedPods | undefined;
  return () => {
    pods ??= watchInjectedPods(api, log, signal);
    return pods;
  };
}

function watchInjectedPods(api: Api, log: Log, signal: AbortSignal): InjectedPods {
  const listeners: Listener[] = [];
  const watched = watchObjects<InjectedPod>(api, log, {
    ...injectedPods,
    keep: readInjectedPod,
    onChange(_, pod, before) {
      for (const listener of listeners) listener(pod, before);
    },
  });
  signal.addEventListener('abort', watched.stop);
  return {
    ...watched,
    follow(listener) {
      for (const pod of watched.objects.values()) listener(pod, undefined);
      listeners.push(listener);
    },
  };
}
