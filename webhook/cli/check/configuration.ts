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
  try {
    const { data } = await api.call<{ data?: Record<string, string> }>({
      path: `/api/v1/namespaces/${namespace}/configmaps/${name}`,
    });
    const config = parseConfig(data?.[key] ?? '', key);
    return {
      config,
      finding: ok(`${title}: the configuration is valid, with sidecars of ${config.sidecar.image}`),
    };
  } catch (error) {
    const { message } = error as Error;
    const finding =
      error instanceof ApiError
        ? warn(`${title} cannot be read, so pods are judged by the defaults: ${message}`)
        : failed(`${title}: ${message}`);
    return { config: undefined, finding };
  }
}
