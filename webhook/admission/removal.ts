import type { AddOperation, RemoveOperation } from 'fast-json-patch';
import { containerName } from '../../sidecar/contract/pod.ts';
import { evictionWithout } from './eviction.ts';
import { addEntries, readStatus, removeMetadata } from './metadata.ts';
import type { Pod } from './pod.ts';
import { removableAnnotations } from './scrape-annotations.ts';
import { volumePrefix } from './volumes.ts';

/**
 * The JSON patch that takes out of `pod` what injection put in, as its status annotation tells; empty for a pod
 * without one. Lists and maps that are empty then go too: there is no telling whether they were there before.
 */
export function buildRemoval(pod: Pod): (AddOperation<unknown> | RemoveOperation)[] {
  const status = readStatus(pod);
  if (!status) return [];
  const { initContainers, volumes } = pod.spec;
  const ours = new Set(status.volumes.filter((name) => name.startsWith(volumePrefix)));
  const { gone, kept } = evictionWithout(pod, ours);
  const annotations = [...removableAnnotations(pod, status.annotations, status.port ?? 0), ...gone];
  return [
    ...removeItems('/spec/initContainers', initContainers, ({ name }) => name === containerName),
    ...removeItems('/spec/volumes', volumes, ({ name }) => ours.has(name)),
    ...addEntries('/metadata/annotations', pod.metadata?.annotations, kept),
    ...removeMetadata(pod, annotations),
  ];
}

/** From the last to the first, so that the positions stay right. */
function removeItems<Item>(
  path: string,
  items: readonly Item[] | null | undefined,
  isOurs: (item: Item) => boolean,
): RemoveOperation[] {
  const positions = (items ?? []).flatMap((item, index) => (isOurs(item) ? [index] : []));
  if (positions.length > 0 && positions.length === items?.length) return [{ op: 'remove', path }];
  return positions.reverse().map((index) => ({ op: 'remove', path: `${path}/${index}` }));
}
