import type { Settings } from '../../sidecar/contract/annotations.ts';
import { annotationPrefix } from '../../sidecar/contract/annotations.ts';
import { type NamespaceLabels, podSecurityLabel } from './namespace.ts';
import { annotationsOf, type Pod } from './pod.ts';

/** What whoever creates a pod should know of the sidecar that it gets. */
export function notes(pod: Pod, { metricsPort }: Settings, labels: NamespaceLabels): string[] {
  const minding = [podSecurityLabel(labels, 'warn'), podSecurityLabel(labels, 'audit')].filter(
    (label) => label !== undefined,
  );
  const found: string[] = [];
  if (minding.length > 0)
    found.push(
      `by the namespace's label ${minding.join(' and ')} the sidecar violates Pod Security, as it mounts paths of the node; the pod is admitted all the same`,
    );
  const portAnnotation = `${annotationPrefix}metrics-port`;
  if (pod.spec.hostNetwork && !(portAnnotation in annotationsOf(pod)))
    found.push(
      `the pod is on its node's network, where the sidecar takes port ${metricsPort}, and no other pod that wants this port can be on the node; ${portAnnotation} chooses another`,
    );
  return found;
}
