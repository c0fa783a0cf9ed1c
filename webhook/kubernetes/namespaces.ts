import type { Log } from '../../sidecar/contract/log.ts';
import type { LabelsOf } from '../admission/admit.ts';
import { relevantLabels } from '../admission/namespace.ts';
import type { Api } from './client.ts';
import { idOf, type Watched, watchObjects } from './watch.ts';

/** Follows the labels of all namespaces that admission minds. */
export function watchNamespaces(
  api: Api,
  log: Log,
): { watched: Watched<Record<string, string>>; labelsOf: LabelsOf } {
  const watched = watchObjects(api, log, {
    path: '/api/v1/namespaces',
    metadataOnly: true,
    keep: ({ metadata }) => relevantLabels(metadata.labels),
  });
  return { watched, labelsOf: (name) => watched.objects.get(idOf({ name })) ?? 'unknown' };
}
