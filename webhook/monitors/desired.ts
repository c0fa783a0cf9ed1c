import { createHash } from 'node:crypto';
import type { V1OwnerReference } from '@kubernetes/client-node';
import { idLabel, injectedLabel, scrapeDuration } from '../../sidecar/contract/annotations.ts';
import { containerName, paths } from '../../sidecar/contract/pod.ts';
import { portName } from '../admission/container.ts';
import { identityShape } from '../admission/identity.ts';
import type { MonitorsConfig } from '../config-file.ts';
import type { ApiObject } from '../kubernetes/watch.ts';
import type { InjectedPod } from '../pods/injected-pod.ts';
import { type Kind, kinds } from './kinds.ts';

/** On everything that is kept for injected pods; its value is the object's name. */
export const monitorLabel = 'bpf.sh/monitor';
/** Tells whether an object is as it should be without comparing what the API server has made of it. */
export const hashAnnotation = 'bpf.sh/monitor-hash';

export interface Desired {
  kind: Kind;
  hash: string;
  object: ApiObject;
}

const nameOfNamespace = 'bpf-sidecar-pods';
const prefix = 'bpf-sidecar-';
/** Of a Service without an address of its own: nobody connects to it. */
const servicePort = 9387;

/** The name of what is kept for a pod, or undefined when nothing could select it. */
export function nameFor({ id }: InjectedPod, { scope }: MonitorsConfig): string | undefined {
  if (scope === 'namespace') return nameOfNamespace;
  return id === undefined ? undefined : prefix + id;
}

/**
 * The labels that select the pods for which the object of this name is kept, or undefined when, as it is configured now,
 * none of this name is.
 */
export function selectorFor(name: string, { scope }: MonitorsConfig): Record<string, string> | undefined {
  if (scope === 'namespace') return name === nameOfNamespace ? { [injectedLabel]: 'true' } : undefined;
  const id = name.slice(prefix.length);
  return name.startsWith(prefix) && identityShape.test(id)
    ? { [injectedLabel]: 'true', [idLabel]: id }
    : undefined;
}

/**
 * What is kept for the pods of a group, which has at least one: the same for the same pods in any order. In scope `pod` a
 * group is one pod, unless its identity was copied (a template that the CLI has injected, a manifest taken from a running
 * pod): then they share it. Pure.
 */
export function desiredObjects(pods: readonly InjectedPod[], config: MonitorsConfig): Desired[] {
  const first = pods.reduce((least, pod) => (pod.uid < least.uid ? pod : least));
  const name = nameFor(first, config)!;
  const selector = selectorFor(name, config)!;
  const perPod = config.scope === 'pod';
  const owner: V1OwnerReference[] =
    perPod && pods.length === 1 ? [{ apiVersion: 'v1', kind: 'Pod', name: first.name, uid: first.uid }] : [];
  const meta = { name, namespace: first.namespace, owner };
  // Endpoints know the name of a native sidecar's port since Kubernetes 1.33 only.
  const port = pods.every((pod) => pod.port === first.port) ? (first.port ?? portName) : portName;
  const scraping = scrapingOf(perPod ? first : undefined, config);
  return config.kind === 'PodMonitor'
    ? [
        desired('PodMonitor', meta, config.labels, {
          selector: { matchLabels: selector },
          podMetricsEndpoints: [{ port: portName, ...scraping }],
        }),
      ]
    : [
        desired('Service', meta, {}, service(selector, port)),
        desired('ServiceMonitor', meta, config.labels, {
          selector: { matchLabels: { [monitorLabel]: name } },
          endpoints: [{ port: portName, ...scraping }],
        }),
      ];
}

function service(selector: Record<string, string>, targetPort: number | string) {
  return {
    clusterIP: 'None',
    selector,
    // The sidecar has something to tell before the application is ready, and above all when it is not.
    publishNotReadyAddresses: true,
    ports: [{ name: portName, port: servicePort, targetPort, protocol: 'TCP' }],
  };
}

/** How an endpoint is scraped; the annotations of `pod`, where there is one, come before the configuration. */
function scrapingOf(pod: InjectedPod | undefined, config: MonitorsConfig) {
  const interval = pod?.interval ?? config.interval;
  const timeout = pod?.timeout ?? config.timeout;
  return {
    path: paths.metrics,
    interval,
    // The Prometheus Operator refuses a monitor with a longer one.
    scrapeTimeout: scrapeDuration(timeout)! > scrapeDuration(interval)! ? interval : timeout,
    honorLabels: true,
    // Otherwise each pod would be a job of its own.
    relabelings: [
      { action: 'replace', targetLabel: 'job', replacement: containerName },
      ...config.relabelings,
    ],
    ...(config.metricRelabelings.length > 0 && { metricRelabelings: config.metricRelabelings }),
  };
}

function desired(
  kind: Kind,
  { name, namespace, owner }: { name: string; namespace: string; owner: V1OwnerReference[] },
  labels: Readonly<Record<string, string>>,
  spec: object,
): Desired {
  const { apiVersion } = kinds[kind];
  const metadata = {
    name,
    namespace,
    labels: {
      ...labels,
      'app.kubernetes.io/name': containerName,
      'app.kubernetes.io/managed-by': containerName,
      [monitorLabel]: name,
    },
    ...(owner.length > 0 && { ownerReferences: owner }),
  };
  const hash = createHash('sha256')
    .update(JSON.stringify([metadata, spec]))
    .digest('hex')
    .slice(0, 16);
  const annotations = { [hashAnnotation]: hash };
  return {
    kind,
    hash,
    object: { apiVersion, kind, metadata: { ...metadata, annotations }, spec } as ApiObject,
  };
}
