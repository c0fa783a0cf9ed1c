import { type Api, createApi } from '../../webhook/kubernetes/client.ts';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { createNamespace } from '../cluster/namespace.ts';
import { at } from '../progress.ts';
import { quantile } from './quantile.ts';
import type { Row } from './row.ts';
import { askingPod, startWebhook, type Webhook } from './webhook-process.ts';

const namespace = 'bench';
const pods = 1000;
/** Left out at first, in which all that takes part becomes warm. */
const warmUp = 1000;
const injectAnnotation = 'bpf.sh/inject';

const { metadata, ...pod } = askingPod();
const { generateName: _, ownerReferences: __, annotations, ...named } = metadata;

/**
 * How much longer the creation of a pod takes through a real API server when the webhook gives it the sidecar: in turn with
 * pods that do not ask for it, for which the API server does not call the webhook.
 */
export async function benchPods(): Promise<Row[]> {
  let cluster: Cluster | undefined;
  let webhook: Webhook | undefined;
  try {
    cluster = await startCluster();
    webhook = await startWebhook({ oneCore: false });
    const api = createApi(cluster.config);
    await createNamespace(cluster.config, namespace);
    await register(api, webhook);
    await untilCalled(api);
    const without: number[] = [];
    const with_: number[] = [];
    for (let index = 0; index < warmUp + pods; index++) {
      at(index, warmUp + pods, 'pods');
      const times = [await create(api, `plain-${index}`, false), await create(api, `asking-${index}`, true)];
      if (index < warmUp) continue;
      without.push(times[0]!);
      with_.push(times[1]!);
    }
    const told = (times: number[]) =>
      [0.5, 0.99].map((share) => quantile(times, share).toFixed(2)).join(', ');
    return [
      { what: 'a pod created without the webhook: p50, p99', value: `${told(without)} ms` },
      {
        what: 'a pod created with the webhook: p50, p99; more at p50',
        value: `${told(with_)} ms; ${(quantile(with_, 0.5) - quantile(without, 0.5)).toFixed(2)} ms`,
        target: '< 2 ms more',
      },
    ];
  } finally {
    await webhook?.stop();
    await cluster?.stop();
  }
}

/** As the chart does it. */
async function register(api: Api, { address, ca }: Webhook): Promise<void> {
  await api.call({
    method: 'POST',
    path: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
    body: {
      metadata: { name: 'bpf-sidecar' },
      webhooks: [
        {
          name: 'pods.bpf.sh',
          clientConfig: { url: `${address}/mutate`, caBundle: ca.toString('base64') },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          matchConditions: [
            {
              name: 'asks',
              expression: `object.metadata.?annotations["${injectAnnotation}"].orValue("") == "true"`,
            },
          ],
          failurePolicy: 'Fail',
          reinvocationPolicy: 'IfNeeded',
          sideEffects: 'NoneOnDryRun',
          admissionReviewVersions: ['v1'],
        },
      ],
    },
  });
}

/** The API server takes a moment to know of a webhook. */
async function untilCalled(api: Api): Promise<void> {
  for (let index = 0; ; index++) {
    const { spec } = await post(api, `first-${index}`, true);
    if (spec.initContainers) return;
  }
}

/** Milliseconds that the creation takes. */
async function create(api: Api, name: string, asks: boolean): Promise<number> {
  const began = performance.now();
  const { spec } = await post(api, name, asks);
  const took = performance.now() - began;
  if ((spec.initContainers !== undefined) !== asks)
    throw new Error(`the pod ${name} has ${asks ? 'no' : 'a'} sidecar`);
  return took;
}

function post(api: Api, name: string, asks: boolean): Promise<{ spec: { initContainers?: unknown } }> {
  return api.call({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/pods`,
    body: {
      ...pod,
      metadata: { ...named, name, namespace, annotations: { ...annotations, [injectAnnotation]: `${asks}` } },
    },
  });
}

if (import.meta.main) console.table(await benchPods());
