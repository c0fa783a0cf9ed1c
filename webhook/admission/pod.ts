import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node';

/** A pod whose lists and maps are known to be lists and maps; API objects say `null` for absent as well. */
export type Pod = V1Pod & { spec: V1PodSpec };

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as a message can hold it: one that is deeply nested would exhaust the stack. */
export function quote(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return isObject(value) ? 'an object' : JSON.stringify(value);
}

/** The annotations as written; manifests on disk may hold values that are no strings. */
export function annotationsOf(pod: unknown): Json {
  const metadata = isObject(pod) ? pod.metadata : undefined;
  const annotations = isObject(metadata) ? metadata.annotations : undefined;
  return isObject(annotations) ? annotations : {};
}

/** Why `value` is no pod, or undefined. Checks only what is read or edited here; the API server does the rest. */
export function podProblem(value: unknown): string | undefined {
  if (!isObject(value) || !isObject(value.spec)) return 'spec must be an object';
  const { metadata, spec } = value;
  if (isObject(metadata) && !isAbsent(metadata.labels) && !isObject(metadata.labels))
    return 'metadata.labels must be an object';
  if (!Array.isArray(spec.containers) || spec.containers.length === 0)
    return 'spec.containers must be a list with at least one container';
  for (const field of ['initContainers', 'containers', 'volumes']) {
    const items = spec[field];
    if (!isAbsent(items) && !isListOfObjects(items)) return `spec.${field} must be a list of objects`;
  }
  for (const container of containersOf(value as unknown as Pod)) {
    if (!isAbsent(container.ports) && !isListOfObjects(container.ports))
      return `the ports of container ${quote(container.name)} must be a list of objects`;
  }
  return undefined;
}

/** All containers that the kubelet starts, init containers first. */
export function containersOf(pod: Pod): V1Container[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function isListOfObjects(value: unknown): boolean {
  return Array.isArray(value) && value.every(isObject);
}
