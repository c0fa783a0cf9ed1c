import type {
  V1LabelSelector,
  V1MutatingWebhook,
  V1MutatingWebhookConfiguration,
  V1ValidatingWebhookConfiguration,
} from '@kubernetes/client-node';
import { type Api, ApiError } from '../../kubernetes/client.ts';
import { listObjects } from '../../kubernetes/list.ts';
import { type Finding, failed, ok, warn } from './finding.ts';

/** An installation of the chart. */
export interface Release {
  /** Of everything that it consists of. */
  name: string;
  namespace: string;
  /** Of the Service by which the API server calls the webhook. */
  port: number;
  failurePolicy: string;
  /** Pods of which namespaces it is called for. */
  namespaceSelector: V1LabelSelector;
  installed: Date;
  /** The `caBundle` of each webhook, base64, by the webhook's name. */
  bundles: ReadonlyMap<string, string>;
}

/** Which release is meant, where a cluster has several. */
export interface Choice {
  release?: string | undefined;
  namespace?: string | undefined;
}

const configurations = '/apis/admissionregistration.k8s.io/v1';
const webhookOfPods = 'pods.bpf.sh';
const chartLabel = 'app.kubernetes.io/name=bpf-sidecar';
const releaseLabel = 'app.kubernetes.io/instance';

/** Finds the release by its webhook configurations; undefined when there is none to look further into. */
export async function findRelease(
  api: Pick<Api, 'call'>,
  choice: Choice,
): Promise<{ release: Release | undefined; findings: Finding[] }> {
  const path = `${configurations}/mutatingwebhookconfigurations`;
  const labelSelector =
    choice.release === undefined ? chartLabel : `${chartLabel},${releaseLabel}=${choice.release}`;
  const found: V1MutatingWebhookConfiguration[] = [];
  for await (const one of listObjects<V1MutatingWebhookConfiguration>(api, { path, labelSelector }))
    found.push(one);
  const chosen = chooseRelease(found, choice);
  if (!('name' in chosen)) return { release: undefined, findings: [chosen] };

  const { name, namespace, failurePolicy } = chosen;
  const findings = [
    ok(
      `MutatingWebhookConfiguration ${name}: the API server calls Service ${namespace}/${name} for pods (failurePolicy ${failurePolicy})`,
    ),
  ];
  const validating = await readValidating(api, name);
  if (!validating)
    findings.push(
      warn(
        `ValidatingWebhookConfiguration ${name} is missing: nobody is warned of mistakes in pod templates`,
      ),
    );
  const bundles = [...chosen.bundles, ...bundlesOf(validating?.webhooks)];
  return { release: { ...chosen, bundles: new Map(bundles) }, findings };
}

/** The one release that is meant, or why there is none. Pure. */
export function chooseRelease(
  found: readonly V1MutatingWebhookConfiguration[],
  { release, namespace }: Choice,
): Release | Finding {
  const releases = found
    .flatMap(readRelease)
    .filter((one) => namespace === undefined || one.namespace === namespace);
  const [first, ...others] = releases;
  if (!first) {
    const named = release === undefined ? '' : ` of release ${release}`;
    const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
    return failed(
      `there is no MutatingWebhookConfiguration${named}${where} with the webhook ${webhookOfPods}: no pod gets a sidecar; install the chart`,
    );
  }
  if (others.length === 0) return first;
  const names = releases.map((one) => `${one.namespace}/${one.name}`).sort();
  return failed(
    `there are ${names.length} releases, ${names.join(', ')}; choose one with --namespace or --release`,
  );
}

function readRelease({ metadata, webhooks }: V1MutatingWebhookConfiguration): Release[] {
  const webhook: V1MutatingWebhook | undefined = webhooks?.find(({ name }) => name === webhookOfPods);
  const service = webhook?.clientConfig.service;
  if (!webhook || !service) return [];
  return [
    {
      name: service.name,
      namespace: service.namespace,
      port: service.port ?? 443,
      failurePolicy: webhook.failurePolicy ?? 'Fail',
      namespaceSelector: webhook.namespaceSelector ?? {},
      installed: new Date(metadata?.creationTimestamp ?? 0),
      bundles: bundlesOf(webhooks),
    },
  ];
}

function bundlesOf(
  webhooks: readonly { name: string; clientConfig: { caBundle?: string } }[] = [],
): Map<string, string> {
  return new Map(webhooks.map(({ name, clientConfig }) => [name, clientConfig.caBundle ?? '']));
}

async function readValidating(
  api: Pick<Api, 'call'>,
  name: string,
): Promise<V1ValidatingWebhookConfiguration | undefined> {
  try {
    return await api.call({ path: `${configurations}/validatingwebhookconfigurations/${name}` });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
