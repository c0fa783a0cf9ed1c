import type { AddOperation, RemoveOperation } from 'fast-json-patch';
import { injectedLabel, statusAnnotation } from '../../sidecar/contract/annotations.ts';
import { annotationsOf, isObject, type Pod } from './pod.ts';

/** The value of the status annotation, as JSON. */
export interface Status {
  version: string;
  container: string;
  volumes: string[];
  probes: string[];
}

export function addMetadata(pod: Pod, status: Status): AddOperation<unknown>[] {
  return [
    addEntry('annotations', pod.metadata?.annotations, statusAnnotation, JSON.stringify(status)),
    addEntry('labels', pod.metadata?.labels, injectedLabel, 'true'),
  ];
}

/** What the status annotation says, if there is one that can be read. Anybody can write it. */
export function readStatus(pod: Pod): Pick<Status, 'volumes'> | undefined {
  const text = annotationsOf(pod)[statusAnnotation];
  if (typeof text !== 'string') return undefined;
  try {
    const status: unknown = JSON.parse(text);
    if (!isObject(status)) return undefined;
    const volumes = Array.isArray(status.volumes) ? status.volumes : [];
    return { volumes: volumes.filter((name) => typeof name === 'string') };
  } catch {
    return undefined;
  }
}

export function removeMetadata({ metadata }: Pod): RemoveOperation[] {
  return [
    ...removeEntry('annotations', metadata?.annotations, statusAnnotation),
    ...removeEntry('labels', metadata?.labels, injectedLabel),
  ];
}

function removeEntry(
  field: 'annotations' | 'labels',
  map: Record<string, string> | null | undefined,
  key: string,
): RemoveOperation[] {
  if (!map || !Object.hasOwn(map, key)) return [];
  const path = `/metadata/${field}`;
  return [{ op: 'remove', path: Object.keys(map).length === 1 ? path : `${path}/${escapePointer(key)}` }];
}

function addEntry(
  field: 'annotations' | 'labels',
  map: Record<string, string> | null | undefined,
  key: string,
  value: string,
): AddOperation<unknown> {
  return map
    ? { op: 'add', path: `/metadata/${field}/${escapePointer(key)}`, value }
    : { op: 'add', path: `/metadata/${field}`, value: { [key]: value } };
}

/** RFC 6901, section 3. */
function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
