import { isObject, type Json } from '../admission/pod.ts';

/** Where a pod or a pod template is in a manifest. */
export interface PodSpot {
  pod: unknown;
  path: Path;
}

export type Path = (string | number)[];

/** One object of a manifest; `spot` is undefined for a kind that has no pod. */
export interface ManifestObject {
  /** `Kind namespace/name`, for people. */
  title: string;
  spot: PodSpot | undefined;
}

/** Path of the pod, or of the pod template, by `apiVersion/kind`. */
const podPaths: ReadonlyMap<string, readonly string[]> = new Map([
  ['v1/Pod', []],
  ['apps/v1/Deployment', ['spec', 'template']],
  ['apps/v1/StatefulSet', ['spec', 'template']],
  ['apps/v1/DaemonSet', ['spec', 'template']],
  ['apps/v1/ReplicaSet', ['spec', 'template']],
  ['batch/v1/Job', ['spec', 'template']],
  ['batch/v1/CronJob', ['spec', 'jobTemplate', 'spec', 'template']],
]);

/** The objects of a manifest, those of a `List` (or `PodList` and the like) one by one. */
export function manifestObjects(manifest: unknown, path: Path = []): ManifestObject[] {
  if (!isObject(manifest)) return [];
  const { apiVersion, kind, items } = manifest;
  if (text(kind)?.endsWith('List') && Array.isArray(items))
    return items.flatMap((item, index) => manifestObjects(item, [...path, 'items', index]));
  const podPath = podPaths.get(`${text(apiVersion)}/${text(kind)}`);
  return [
    {
      title: title(manifest),
      spot: podPath && { pod: podPath.reduce(child, manifest), path: [...path, ...podPath] },
    },
  ];
}

function child(value: unknown, key: string): unknown {
  return isObject(value) ? value[key] : undefined;
}

function title({ kind, metadata }: Json): string {
  const { namespace, name, generateName } = isObject(metadata) ? metadata : ({} as Json);
  const named = text(name) ?? text(generateName) ?? '(unnamed)';
  const place = text(namespace);
  return `${text(kind) ?? '(no kind)'} ${place === undefined ? named : `${place}/${named}`}`;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
