import type { AddOperation, RemoveOperation } from 'fast-json-patch';
import { idLabel, injectedLabel, statusAnnotation } from '../../sidecar/contract/annotations.ts';
import { annotationsOf, isObject, type Pod } from './pod.ts';

/** The value of the status annotation, as JSON. */
export interface Status {
  version: string;
  container: string;
  /** Where the sidecar listens, whatever becomes of the annotation later. */
  port: number;
  volumes: string[];
  probes: string[];
  /** Names of BPF resources, if there are any. */
  programs?: string[];
  /** Names of the other annotations that were added, if any were. */
  annotations?: string[];
}

type Field = 'annotations' | 'labels';

export function addMetadata(pod: Pod, added: Record<Field, Record<string, string>>): AddOperation<unknown>[] {
  return (['annotations', 'labels'] as const).flatMap((field) =>
    addEntries(`/metadata/${field}`, pod.metadata?.[field], added[field]),
  );
}

/** What the status annotation says, if there is one that can be read. Anybody can write it. */
export function readStatus(
  pod: unknown,
): (Required<Pick<Status, 'volumes' | 'programs' | 'annotations'>> & { port?: number }) | undefined {
  const text = annotationsOf(pod)[statusAnnotation];
  if (typeof text !== 'string') return undefined;
  try {
    const status: unknown = JSON.parse(text);
    if (!isObject(status)) return undefined;
    const { port } = status;
    return {
      volumes: strings(status.volumes),
      programs: strings(status.programs),
      annotations: strings(status.annotations),
      ...(isPort(port) && { port }),
    };
  } catch {
    return undefined;
  }
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Undoes `addMetadata`, with the names of the annotations that were added beside the status. */
export function removeMetadata({ metadata }: Pod, annotations: readonly string[]): RemoveOperation[] {
  return [
    ...removeEntries('/metadata/annotations', metadata?.annotations, [statusAnnotation, ...annotations]),
    ...removeEntries('/metadata/labels', metadata?.labels, [injectedLabel, idLabel]),
  ];
}

function removeEntries(
  path: string,
  map: Record<string, string> | null | undefined,
  keys: readonly string[],
): RemoveOperation[] {
  const present = [...new Set(keys)].filter((key) => map && Object.hasOwn(map, key));
  if (present.length > 0 && present.length === Object.keys(map ?? {}).length) return [{ op: 'remove', path }];
  return present.map((key) => ({ op: 'remove', path: `${path}/${escapePointer(key)}` }));
}

/** Adds entries to the map at `path`, or puts them in the place of those that have their keys. */
export function addEntries(
  path: string,
  map: Record<string, string> | null | undefined,
  added: Record<string, string>,
): AddOperation<unknown>[] {
  return map
    ? Object.entries(added).map(([key, value]) => ({
        op: 'add',
        path: `${path}/${escapePointer(key)}`,
        value,
      }))
    : [{ op: 'add', path, value: added }];
}

/** RFC 6901, section 3. */
function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
