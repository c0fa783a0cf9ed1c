import type { KubeConfig } from '@kubernetes/client-node';
import { create } from './call.ts';

/**
 * Creates what is missing of a namespace and of its service account, without which no pod is admitted: where no
 * controllers run, nobody else makes that one.
 */
export async function createNamespace(
  config: KubeConfig,
  name: string,
  labels: Record<string, string> = {},
): Promise<void> {
  await create(config, '/api/v1/namespaces', { metadata: { name, labels } });
  await create(config, `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } });
}
