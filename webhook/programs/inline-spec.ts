import { applyObject } from '../kubernetes/apply.ts';
import { type Api, ApiError } from '../kubernetes/client.ts';
import type { ApiObject } from '../kubernetes/watch.ts';
import type { Known } from './known.ts';
import { Obstacle } from './obstacle.ts';
import { bpfGroup, bpfVersion, type KeyReference } from './resource.ts';

const httpStatus = { forbidden: 403, notFound: 404 } as const;

/**
 * Keeps the metric spec that is in a resource in a ConfigMap that belongs to it: pods can mount that, and the kubelet
 * brings them its changes. Nothing is written when it is there. Throws an Obstacle when it cannot be.
 */
export async function keepInlineSpec(
  api: Api,
  { namespace, name, uid }: Known,
  reference: KeyReference,
  spec: object,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${reference.name}`;
  const content = `${JSON.stringify(spec, null, 2)}\n`;
  try {
    const there = await get(api, path);
    if (there && !there.metadata.ownerReferences?.some((owner) => owner.uid === uid))
      throw new Obstacle(
        'False',
        'NameTaken',
        `the ConfigMap "${reference.name}", in which the webhook keeps the metric spec for the pods, is not the webhook's; remove it`,
      );
    if (there?.data?.[reference.key] === content) return;
    const owner = { apiVersion: `${bpfGroup}/${bpfVersion}`, kind: 'BPF', name, uid, controller: true };
    const configMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: reference.name, namespace, ownerReferences: [owner] },
      data: { [reference.key]: content },
    };
    await applyObject(api, path, configMap, { force: true });
  } catch (error) {
    if (error instanceof ApiError && error.status === httpStatus.forbidden)
      throw new Obstacle(
        'False',
        'NotPermitted',
        `the webhook may not keep the metric spec in a ConfigMap: ${error.message}`,
      );
    throw error;
  }
}

async function get(
  api: Api,
  path: string,
): Promise<(ApiObject & { data?: Record<string, string> }) | undefined> {
  try {
    return await api.call({ path });
  } catch (error) {
    if (error instanceof ApiError && error.status === httpStatus.notFound) return undefined;
    throw error;
  }
}
