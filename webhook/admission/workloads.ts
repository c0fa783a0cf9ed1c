import { annotationPrefix } from '../../sidecar/contract/annotations.ts';
import type { InjectionConfig } from '../config.ts';
import type { NamespacePrograms } from '../programs/resolve.ts';
import { type Decision, decide } from './decide.ts';
import type { NamespaceLabels } from './namespace.ts';
import { annotationsOf, isObject } from './pod.ts';
import { skip } from './reasons.ts';

/** Path of the pod, or of the pod template, by `apiVersion/kind`. */
export const podPaths: ReadonlyMap<string, readonly string[]> = new Map([
  ['v1/Pod', []],
  ['apps/v1/Deployment', ['spec', 'template']],
  ['apps/v1/StatefulSet', ['spec', 'template']],
  ['apps/v1/DaemonSet', ['spec', 'template']],
  ['apps/v1/ReplicaSet', ['spec', 'template']],
  ['batch/v1/Job', ['spec', 'template']],
  ['batch/v1/CronJob', ['spec', 'jobTemplate', 'spec', 'template']],
]);

/** The pod or pod template at a path of `podPaths`. */
export function podAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), object);
}

/**
 * Decides about the pods of a workload, whose pod template is at `path`, as `decide` will when they are created;
 * and finds annotations that were meant for them and are on the workload itself.
 */
export function decideWorkload(
  object: unknown,
  path: readonly string[],
  config: InjectionConfig,
  labels?: NamespaceLabels,
  programs?: NamespacePrograms,
): Decision {
  const decision = decide(podAt(object, path), config, labels, programs);
  if (decision.inject || decision.reason !== 'not-requested' || path.length === 0) return decision;
  const misplaced = Object.keys(annotationsOf(object)).find((name) => name.startsWith(annotationPrefix));
  return misplaced === undefined
    ? decision
    : skip(
        'misplaced-annotation',
        `annotation ${misplaced.slice(0, 80)} has no effect on the workload itself; put it into ${path.join('.')}.metadata.annotations`,
      );
}
