import type { V1Pod } from '@kubernetes/client-node';
import { annotationPrefix } from '../../../sidecar/contract/annotations.ts';
import { containerName } from '../../../sidecar/contract/pod.ts';
import { decide } from '../../admission/decide.ts';
import { readStatus } from '../../admission/metadata.ts';
import { relevantLabels } from '../../admission/namespace.ts';
import { annotationsOf } from '../../admission/pod.ts';
import { type SkipReason, skipReasons } from '../../admission/reasons.ts';
import type { InjectionConfig } from '../../config.ts';
import type { NamespacePrograms } from '../../programs/resolve.ts';
import type { Release } from './release.ts';
import { selects } from './selector.ts';

/** What is known of the cluster that decides about its pods. */
export interface Circumstances {
  release: Pick<Release, 'namespaceSelector' | 'installed'>;
  sidecar: InjectionConfig;
  /** The labels of namespaces, by their name. */
  labels: ReadonlyMap<string, Readonly<Record<string, string>>>;
  programsOf(namespace: string): NamespacePrograms;
}

export type Judgement =
  | { state: 'observed'; image: string }
  /** It asks for a sidecar and has none. `cause` is one word for it, `message` one sentence. */
  | { state: 'without'; cause: Cause; message: string };

/** Why a pod is without its sidecar, beside the reasons for a skip. */
export const causes = ['namespace-not-served', 'not-recreated', 'not-asked'] as const;

type Cause = SkipReason | (typeof causes)[number];

/** What there is to say of a pod, raw as the API server has it; nothing of one that has nothing of ours. Pure. */
export function judgePod(
  pod: V1Pod,
  { release, sidecar, labels, programsOf }: Circumstances,
): Judgement | undefined {
  const { namespace = '', creationTimestamp } = pod.metadata ?? {};
  const present = pod.spec?.initContainers?.find(({ name }) => name === containerName);
  if (present && readStatus(pod)) return { state: 'observed', image: present.image ?? '' };
  if (!Object.keys(annotationsOf(pod)).some((name) => name.startsWith(annotationPrefix))) return undefined;

  const own = labels.get(namespace);
  const decision = decide(pod, sidecar, own ? relevantLabels(own) : 'unknown', programsOf(namespace));
  if (!decision.inject) {
    const { reason, messages } = decision;
    return skipReasons[reason].warn
      ? { state: 'without', cause: reason, message: messages.join('; ') }
      : undefined;
  }
  if (own && !selects(release.namespaceSelector, own))
    return {
      state: 'without',
      cause: 'namespace-not-served',
      message: "the webhook's namespaceSelector leaves its namespace out",
    };
  return new Date(creationTimestamp ?? 0) < release.installed
    ? {
        state: 'without',
        cause: 'not-recreated',
        message: 'it is older than the webhook; create it again',
      }
    : {
        state: 'without',
        cause: 'not-asked',
        message:
          'it would get one now: nobody answered when it was created, or it was annotated later; create it again',
      };
}
