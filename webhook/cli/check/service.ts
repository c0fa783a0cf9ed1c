import type { V1EndpointSlice } from '@kubernetes/client-node';
import { type Api, ApiError } from '../../kubernetes/client.ts';
import { listObjects } from '../../kubernetes/list.ts';
import { type Finding, failed, ok, warn } from './finding.ts';
import type { Release } from './release.ts';

/** Whether there is somebody behind the Service by which the API server calls the webhook. */
export async function checkService(
  api: Pick<Api, 'call'>,
  { namespace, name }: Pick<Release, 'namespace' | 'name'>,
): Promise<Finding> {
  try {
    await api.call({ path: `/api/v1/namespaces/${namespace}/services/${name}` });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404)
      return failed(`Service ${namespace}/${name} is missing: the API server cannot call the webhook`);
    throw error;
  }
  const slices: V1EndpointSlice[] = [];
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
  const labelSelector = `kubernetes.io/service-name=${name}`;
  for await (const slice of listObjects<V1EndpointSlice>(api, { path, labelSelector })) slices.push(slice);
  return judgeEndpoints(`Service ${namespace}/${name}`, slices);
}

/** Pure. */
export function judgeEndpoints(title: string, slices: readonly V1EndpointSlice[]): Finding {
  // A pod with addresses of both families is in a slice of each.
  const ready = new Map<string, boolean>();
  for (const { addresses, conditions, targetRef } of slices.flatMap(({ endpoints }) => endpoints ?? [])) {
    const id = targetRef?.uid ?? addresses[0] ?? '';
    // Not known is to be taken for ready.
    ready.set(id, (ready.get(id) ?? true) && conditions?.ready !== false);
  }
  const count = [...ready.values()].filter(Boolean).length;
  const told = `${title}: ${count} of ${ready.size} endpoints are ready`;
  if (count === 0) return failed(`${told}; no pod gets a sidecar while no replica answers`);
  return count < ready.size ? warn(told) : ok(told);
}
