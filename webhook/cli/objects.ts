import { isObject, type Json } from '../admission/pod.ts';
import { podPaths } from '../admission/workloads.ts';

export type Path = (string | number)[];

/** One object of a manifest. */
export interface ManifestObject {
  /** `Kind namespace/name`, for people. */
  title: string;
  object: unknown;
  /** Where it is in the manifest. */
  path: Path;
  /** Where its pod or pod template is in it; undefined for a kind that has none. */
  podPath: readonly string[] | undefined;
}

/** The objects of a manifest, those of a `List` (or `PodList` and the like) one by one. */
export function manifestObjects(manifest: unknown, path: Path = []): ManifestObject[] {
  if (!isObject(manifest)) return [];
  const { apiVersion, kind, items } = manifest;
  if (text(kind)?.endsWith('List') && Array.isArray(items))
    return items.flatMap((item, index) => manifestObjects(item, [...path, 'items', index]));
  const podPath = podPaths.get(`${text(apiVersion)}/${text(kind)}`);
  return [{ title: title(manifest), object: manifest, path, podPath }];
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
