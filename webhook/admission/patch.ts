import type { AddOperation, Operation } from 'fast-json-patch';
import { idLabel, injectedLabel, statusAnnotation } from '../../sidecar/contract/annotations.ts';
import { addContainer } from './container.ts';
import type { Decision } from './decide.ts';
import { evictionAnnotation } from './eviction.ts';
import { addMetadata, type Status } from './metadata.ts';
import type { Pod } from './pod.ts';
import { buildRemoval } from './removal.ts';
import type { Sidecar } from './sidecar.ts';
import { addVolumes } from './volumes.ts';

/**
 * The JSON patch (RFC 6902) that a decision about a pod comes to; empty when the pod stays as it is. `id` is the
 * identity that it gets with the sidecar.
 */
export function patchOf(decision: Decision, version: string, id: string): Operation[] {
  if (decision.inject) return buildPatch(decision.pod, decision.sidecar, version, id);
  return decision.takeOut ? buildRemoval(decision.takeOut) : [];
}

/** The JSON patch that adds the sidecar to `pod`. It only adds, and only what is the sidecar's. */
export function buildPatch(
  pod: Pod,
  { container, volumes, probes, programs, port, annotations }: Sidecar,
  version: string,
  id: string,
): AddOperation<unknown>[] {
  const status: Status = {
    version,
    container: container.name,
    port,
    volumes: volumes.map(({ name }) => name),
    probes,
    ...(programs.length > 0 && { programs }),
    ...(Object.keys(annotations).length > 0 && { annotations: Object.keys(annotations) }),
  };
  return [
    ...addContainer(pod, container),
    ...addVolumes(pod, volumes),
    ...addMetadata(pod, {
      annotations: {
        [statusAnnotation]: JSON.stringify(status),
        ...evictionAnnotation(pod, volumes),
        ...annotations,
      },
      labels: { [injectedLabel]: 'true', [idLabel]: id },
    }),
  ];
}
