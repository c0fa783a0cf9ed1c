import type { V1Volume } from '@kubernetes/client-node';
import { annotationsOf, type Pod } from './pod.ts';

/**
 * Names the volumes that the Cluster Autoscaler need not care for. Without it no node with an injected pod would be scaled
 * down, because of the paths of the node that the sidecar mounts.
 * https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#what-types-of-pods-can-prevent-ca-from-removing-a-node
 */
const annotation = 'cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes';

/** The annotation with the sidecar's volumes, after those that the pod names itself. */
export function evictionAnnotation(pod: Pod, volumes: readonly V1Volume[]): Record<string, string> {
  const named = namesIn(pod);
  const ours = volumes.filter(({ hostPath }) => hostPath).map(({ name }) => name);
  return { [annotation]: [...named, ...ours.filter((name) => !named.includes(name))].join() };
}

/** What becomes of the annotation when `volumes` go: its name in `gone`, or in `kept` with what is left of it. */
export function evictionWithout(
  pod: Pod,
  volumes: ReadonlySet<string>,
): { gone: string[]; kept: Record<string, string> } {
  const named = namesIn(pod);
  const left = named.filter((name) => !volumes.has(name));
  if (left.length === named.length) return { gone: [], kept: {} };
  return left.length === 0
    ? { gone: [annotation], kept: {} }
    : { gone: [], kept: { [annotation]: left.join() } };
}

function namesIn(pod: Pod): string[] {
  const value = annotationsOf(pod)[annotation];
  return typeof value === 'string' && value !== '' ? value.split(',') : [];
}
