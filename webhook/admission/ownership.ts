import { isDeepStrictEqual } from 'node:util';
import type { V1Container } from '@kubernetes/client-node';
import { statusAnnotation } from '../../sidecar/contract/annotations.ts';
import { annotationsOf, containersOf, type Pod } from './pod.ts';
import type { Sidecar } from './sidecar.ts';

/** Mounted into every container by the API server. */
const serviceAccountMount = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Who owns the sidecar's names in `pod`: nobody, the sidecar, or something else, which a message then names.
 * The status annotation alone proves nothing, as anybody can write it: only a container and volumes equal to
 * those that would be injected are ours, so that no hand-written privileged container passes for the sidecar.
 */
export function ownership(pod: Pod, sidecar: Sidecar): 'free' | 'ours' | { taken: string } {
  const { container, volumes } = sidecar;
  const present = containersOf(pod).find(({ name }) => name === container.name);
  const presentVolumes = (pod.spec.volumes ?? []).filter((volume) =>
    volumes.some(({ name }) => name === volume.name),
  );
  if (!present) {
    const [volume] = presentVolumes;
    return volume
      ? { taken: `the volume name "${volume.name}" is the sidecar's; rename the volume` }
      : 'free';
  }
  const injected = pod.spec.initContainers?.includes(present) && statusAnnotation in annotationsOf(pod);
  if (!injected)
    return { taken: `the container name "${container.name}" is the sidecar's; rename the container` };
  const changed = differences(container, present);
  if (!isDeepStrictEqual(presentVolumes, volumes)) changed.push('its volumes');
  if (changed.length === 0) return 'ours';
  return {
    taken: `the container "${container.name}" differs from the one to inject in ${changed.join(', ')}; remove it to have it injected again`,
  };
}

/**
 * The fields in which two containers differ, save what admission may change in any container: resources (by a
 * LimitRange) and the mount of the service account.
 */
function differences(expected: V1Container, present: V1Container): string[] {
  const theirs: V1Container = {
    ...present,
    resources: expected.resources!,
    volumeMounts: present.volumeMounts?.filter(({ mountPath }) => mountPath !== serviceAccountMount) ?? [],
  };
  const fields = new Set([...Object.keys(expected), ...Object.keys(theirs)]) as Set<keyof V1Container>;
  return [...fields].filter((field) => !isDeepStrictEqual(expected[field], theirs[field]));
}
