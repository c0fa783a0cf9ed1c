import type { V1Container, V1ResourceRequirements } from '@kubernetes/client-node';
import type { Problem, Resources } from '../../sidecar/contract/annotations.ts';
import type { InjectionConfig } from '../config.ts';
import { containersOf, type Pod } from './pod.ts';
import { quantityValue } from './quantity.ts';

type Name = 'cpu' | 'memory';
type Accepted = { resources: V1ResourceRequirements } | { problem: Problem };

/**
 * The sidecar's requests and limits: the annotations', else the defaults. A pod of QoS class Guaranteed stays
 * in it. Where every container has a limit so has the sidecar, as a ResourceQuota may ask for it. A pod with
 * resources of its own (`spec.resources`) gets no defaults: the sidecar lives on the pod's budget, which the
 * defaults could exceed, and the API server would refuse the pod.
 */
export function sidecarResources(pod: Pod, asked: Resources, config: InjectionConfig): Accepted {
  const guaranteed = isGuaranteed(pod);
  const resources: V1ResourceRequirements = {};
  for (const name of ['cpu', 'memory'] as const) {
    const wanted = { request: asked[`${name}Request`], limit: asked[`${name}Limit`] };
    const equal = guaranteed
      ? (wanted.limit ?? wanted.request ?? config.resources.guaranteed[name])
      : undefined;
    const defaults = pod.spec.resources ? undefined : config.resources;
    const request = wanted.request ?? equal ?? defaults?.requests[name];
    const limit =
      wanted.limit ??
      equal ??
      defaults?.limits[name] ??
      (defaults && limitLikeOthers(pod, name, request, config));
    const reason = mismatch(name, request, limit, guaranteed);
    if (reason !== undefined) {
      const which = wanted.request === undefined ? 'limit' : 'request';
      return { problem: { annotation: `bpf.sh/${name}-${which}`, value: wanted[which] ?? '', reason } };
    }
    if (request !== undefined) resources.requests = { ...resources.requests, [name]: request };
    if (limit !== undefined) resources.limits = { ...resources.limits, [name]: limit };
  }
  return { resources };
}

function mismatch(name: Name, request: string | undefined, limit: string | undefined, guaranteed: boolean) {
  if (request === undefined || limit === undefined) return undefined;
  const excess = quantityValue(request) - quantityValue(limit);
  if (guaranteed && excess !== 0)
    return `the pod is of QoS class Guaranteed, so bpf.sh/${name}-request and bpf.sh/${name}-limit must be equal`;
  if (excess > 0)
    return `the ${name} request (${request}) is above the limit (${limit}); set bpf.sh/${name}-request and bpf.sh/${name}-limit so that it is not`;
  return undefined;
}

function limitLikeOthers(
  pod: Pod,
  name: Name,
  request: string | undefined,
  config: InjectionConfig,
): string | undefined {
  if (!containersOf(pod).every(({ resources }) => resources?.limits?.[name] !== undefined)) return undefined;
  const limit = config.resources.guaranteed[name];
  return request !== undefined && quantityValue(request) > quantityValue(limit) ? request : limit;
}

/** See https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ */
function isGuaranteed(pod: Pod): boolean {
  if (pod.spec.resources) return false;
  return containersOf(pod).every((container) => isFixed(container, 'cpu') && isFixed(container, 'memory'));
}

function isFixed({ resources }: V1Container, name: Name): boolean {
  const limit = resources?.limits?.[name];
  if (!limit) return false;
  const request = resources?.requests?.[name] ?? limit;
  return quantityValue(limit) > 0 && quantityValue(request) === quantityValue(limit);
}
