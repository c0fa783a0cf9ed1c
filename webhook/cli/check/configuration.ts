import { parseConfig, type WebhookConfig } from '../../config-file.ts';
import { type Api, ApiError } from '../../kubernetes/client.ts';
import { type Finding, failed, ok, warn } from './finding.ts';
import type { Release } from './release.ts';

const key = 'config.yaml';

/** What the administrator decided, as the chart wrote it; undefined where it cannot be read. */
export async function readConfiguration(
  api: Pick<Api, 'call'>,
  { namespace, name }: Pick<Release, 'namespace' | 'name'>,
): Promise<{ config: WebhookConfig | undefined; finding: Finding }> {
  const title = `ConfigMap ${namespace}/${name}`;
  const answer = await api
    .call<{ data?: Record<string, string> }>({ path: `/api/v1/namespaces/${namespace}/configmaps/${name}` })
    .catch((error) => {
      if (error instanceof ApiError) return error;
      throw error;
    });
  if (answer instanceof ApiError)
    return {
      config: undefined,
      finding: warn(`${title} cannot be read, so pods are judged by the defaults: ${answer.message}`),
    };
  try {
    const config = parseConfig(answer.data?.[key] ?? '', key);
    return {
      config,
      finding: ok(`${title}: the configuration is valid, with sidecars of ${config.sidecar.image}`),
    };
  } catch (error) {
    return { config: undefined, finding: failed(`${title}: ${(error as Error).message}`) };
  }
}
