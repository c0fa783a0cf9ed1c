import type { AddOperation } from 'fast-json-patch';
import { addContainer } from './container.ts';
import { addMetadata } from './metadata.ts';
import type { Pod } from './pod.ts';
import type { Sidecar } from './sidecar.ts';
import { addVolumes } from './volumes.ts';

/** The JSON patch (RFC 6902) that adds the sidecar to `pod`. It only adds, and only what is the sidecar's. */
export function buildPatch(
  pod: Pod,
  { container, volumes, probes }: Sidecar,
  version: string,
): AddOperation<unknown>[] {
  const status = { version, container: container.name, volumes: volumes.map(({ name }) => name), probes };
  return [...addContainer(pod, container), ...addVolumes(pod, volumes), ...addMetadata(pod, status)];
}
