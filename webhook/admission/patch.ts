import type { AddOperation, Operation } from 'fast-json-patch';
import { addContainer } from './container.ts';
import type { Decision } from './decide.ts';
import { addMetadata } from './metadata.ts';
import type { Pod } from './pod.ts';
import { buildRemoval } from './removal.ts';
import type { Sidecar } from './sidecar.ts';
import { addVolumes } from './volumes.ts';

/** The JSON patch (RFC 6902) that a decision about a pod comes to; empty when the pod stays as it is. */
export function patchOf(decision: Decision, version: string): Operation[] {
  if (decision.inject) return buildPatch(decision.pod, decision.sidecar, version);
  return decision.takeOut ? buildRemoval(decision.takeOut) : [];
}

/** The JSON patch that adds the sidecar to `pod`. It only adds, and only what is the sidecar's. */
export function buildPatch(
  pod: Pod,
  { container, volumes, probes }: Sidecar,
  version: string,
): AddOperation<unknown>[] {
  const status = { version, container: container.name, volumes: volumes.map(({ name }) => name), probes };
  return [...addContainer(pod, container), ...addVolumes(pod, volumes), ...addMetadata(pod, status)];
}
