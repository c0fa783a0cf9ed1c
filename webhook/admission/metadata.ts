import type { AddOperation } from 'fast-json-patch';
import { injectedLabel, statusAnnotation } from '../../sidecar/contract/annotations.ts';
import type { Pod } from './pod.ts';

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
