import type { V1CustomResourceDefinition } from '@kubernetes/client-node';
import type { WebhookConfig } from '../../config-file.ts';
import { type Api, ApiError } from '../../kubernetes/client.ts';
import { kinds, kindsFor } from '../../monitors/kinds.ts';
import { bpfApi, bpfCrd } from '../../programs/resource.ts';
import { type Finding, failed, ok, warn } from './finding.ts';

/** A CustomResourceDefinition that the configuration wants. */
export interface Wanted {
  name: string;
  version: string;
  /** What there is without it. */
  missing: Finding;
}

/** Pure. */
export function wantedCrds({ programs, monitors }: Pick<WebhookConfig, 'programs' | 'monitors'>): Wanted[] {
  const wanted: Wanted[] = [];
  if (programs.allowedNamespaces.length > 0)
    wanted.push({
      name: bpfCrd,
      version: bpfApi.split('/').at(-1)!,
      missing: failed(
        `CustomResourceDefinition ${bpfCrd} is missing: programs are allowed, and no pod that names one gets a sidecar; apply the chart's crds/`,
      ),
    });
  for (const kind of kindsFor(monitors.kind)) {
    const { apiVersion, plural } = kinds[kind];
    const [group, version] = apiVersion.split('/');
    if (version === undefined) continue;
    const name = `${plural}.${group}`;
    wanted.push({
      name,
      version,
      missing: warn(
        `CustomResourceDefinition ${name} is missing: Prometheus is told of no sidecar; install the Prometheus Operator or set monitors.kind`,
      ),
    });
  }
  return wanted;
}

export async function checkCrd(api: Pick<Api, 'call'>, { name, version, missing }: Wanted): Promise<Finding> {
  try {
    const crd = await api.call<V1CustomResourceDefinition>({
      path: `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`,
    });
    return crd.spec.versions.some((one) => one.name === version && one.served)
      ? ok(`CustomResourceDefinition ${name}: serves ${version}`)
      : failed(`CustomResourceDefinition ${name} does not serve ${version}; apply it anew`);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return missing;
    throw error;
  }
}
