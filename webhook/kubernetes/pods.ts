import { injectedLabel } from '../../sidecar/contract/annotations.ts';

export const podsPath = '/api/v1/pods';

/** The field selector of pods that run or will. */
export const notEnded = 'status.phase!=Succeeded,status.phase!=Failed';

/** What to watch for the metadata of all pods that have a sidecar and have not ended. */
export const injectedPods = {
  path: podsPath,
  labelSelector: `${injectedLabel}=true`,
  fieldSelector: notEnded,
  metadataOnly: true,
} as const;
