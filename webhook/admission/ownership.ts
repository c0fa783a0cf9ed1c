import { isDeepStrictEqual } from 'node:util';
import type { V1Container } from '@kubernetes/client-node';
import { readStatus } from './metadata.ts';
import { containersOf, type Pod } from './pod.ts';
import { type Skip, skip } from './reasons.ts';
import type { Sidecar } from './sidecar.ts';

/**
 * Nothing when the sidecar's names are free in `pod`, else why it cannot be injected: it is there, or something
 * else has its names. The status annotation alone proves nothing, as anybody can write it: only a container and
 * volumes equal to those that would be injected are ours, so that no hand-written privileged container passes for
 * the sidecar. Where they stand does not matter: two injectors that both want to be first would never end.
 */
export function occupied(pod: Pod, sidecar: Sidecar): Skip | undefined {
  const { container, volumes } = sidecar;
  const present = containersOf(pod).find(({ name }) => name === container.name);
  const presentVolumes = (pod.spec.volumes ?? []).filter((volume) =>
    volumes.some(({ name }) => name === volume.name),
  );
  if (!present) {
    const [volume] = presentVolumes;
    return volume
      ? skip('name-taken', `the volume name "${volume.name}" is the sidecar's; rename the volume`)
      : undefined;
  }
  if (!pod.spec.initContainers?.includes(present) || !readStatus(pod))
    return skip(
      'name-taken',
      `the container name "${container.name}" is the sidecar's; rename the container`,
    );
  const changed: string[] = differences(container, present);
  if (changed.includes('restartPolicy') && present.image === container.image)
    return {
      ...skip(
        'restart-policy-removed',
        `the container "${container.name}" has lost its restartPolicy: Always, most likely to another webhook that does not know the field; the pod would never start with it, so it was taken out; update that webhook`,
      ),
      takeOut: pod,
    };
  if (!isDeepStrictEqual(presentVolumes, volumes)) changed.push('its volumes');
  if (changed.length === 0) return skip('already-injected', 'the sidecar is there');
  return skip(
    'sidecar-changed',
    `the container "${container.name}" differs from the one to inject in ${changed.join(', ')}; remove it to have it injected again, or keep other webhooks from changing it`,
  );
}

/**
 * The fields in which two containers differ, save what admission may change in any container: resources (by a
 * LimitRange) and the policy of pulling images.
 */
function differences(expected: V1Container, present: V1Container): (keyof V1Container)[] {
  const theirs: V1Container = {
    ...present,
    resources: expected.resources!,
    imagePullPolicy: expected.imagePullPolicy!,
  };
  const fields = new Set([...Object.keys(expected), ...Object.keys(theirs)]) as Set<keyof V1Container>;
  return [...fields].filter((field) => !isDeepStrictEqual(expected[field], theirs[field]));
}
