import type { V1Pod } from '@kubernetes/client-node';
import { defaultImage, injectionConfig } from '../../config.ts';
import type { WebhookConfig } from '../../config-file.ts';
import { type Api, ApiError } from '../../kubernetes/client.ts';
import { listObjects } from '../../kubernetes/list.ts';
import { notEnded, podsPath } from '../../kubernetes/pods.ts';
import type { ApiObject } from '../../kubernetes/watch.ts';
import { programsOff } from '../../programs/allowed.ts';
import { readKnownProgram } from '../../programs/known.ts';
import type { NamespacePrograms } from '../../programs/resolve.ts';
import { bpfApi } from '../../programs/resource.ts';
import type { Finding } from './finding.ts';
import { judgePod } from './judge-pod.ts';
import { createPodReport } from './pod-report.ts';
import type { Release } from './release.ts';

/** Reads all pods that have not ended, a page at a time. */
export async function checkPods(
  api: Pick<Api, 'call'>,
  release: Release,
  config: WebhookConfig | undefined,
): Promise<Finding[]> {
  const labels = new Map<string, Record<string, string>>();
  for await (const { metadata } of listObjects<ApiObject>(api, {
    path: '/api/v1/namespaces',
    metadataOnly: true,
  }))
    labels.set(metadata.name, metadata.labels ?? {});
  const circumstances = {
    release,
    sidecar: config?.sidecar ?? injectionConfig(defaultImage),
    labels,
    programsOf: await readPrograms(api, config),
  };
  const report = createPodReport(config?.sidecar.image);
  const pods = listObjects<V1Pod>(api, {
    path: podsPath,
    fieldSelector: notEnded,
  });
  for await (const pod of pods) {
    const judgement = judgePod(pod, circumstances);
    if (judgement) report.add(`${pod.metadata?.namespace}/${pod.metadata?.name}`, judgement);
  }
  return report.findings();
}

/** The `BPF` resources, as the webhook knows them. */
async function readPrograms(
  api: Pick<Api, 'call'>,
  config: WebhookConfig | undefined,
): Promise<(namespace: string) => NamespacePrograms> {
  if (!config) return () => ({ unknown: "the webhook's configuration is not known" });
  const allowed = config.programs.allowedNamespaces;
  const offOrElse = (otherwise: (namespace: string) => NamespacePrograms) => (namespace: string) => {
    const off = programsOff(namespace, allowed);
    return off === undefined ? otherwise(namespace) : { off };
  };
  if (allowed.length === 0) return offOrElse(() => ({ resources: new Map() }));
  const known = new Map<string, Map<string, ReturnType<typeof readKnownProgram>>>();
  try {
    for await (const resource of listObjects<ApiObject & { spec?: unknown }>(api, {
      path: `${bpfApi}/bpfs`,
    })) {
      const { namespace = '', name } = resource.metadata;
      const programs = known.get(namespace) ?? new Map();
      known.set(namespace, programs.set(name, readKnownProgram(namespace, name, resource.spec, allowed)));
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return offOrElse(() => ({ unknown: `the BPF resources cannot be read: ${error.message}` }));
  }
  return offOrElse((namespace) => ({ resources: known.get(namespace) ?? new Map() }));
}
