import manifest from '../package.json' with { type: 'json' };

export const version = manifest.version;

/** CPU and memory as Kubernetes quantities. */
interface Quantities {
  cpu?: string;
  memory?: string;
}

/** What the sidecar may do: all that root may, only what the probes of its pod need, or that until they are attached. */
export const privileges = ['privileged', 'capabilities', 'attach-only'] as const;
export type Privilege = (typeof privileges)[number];

/** What the administrator decides about every sidecar; no annotation can change `image`, `imagePullPolicy`, `privilege` or `nodeWide`. */
export interface InjectionConfig {
  /** Written to the status annotation. */
  version: string;
  image: string;
  imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  privilege: Privilege;
  /** Whether programs of a user's own may run for the whole node when their spec asks for it. */
  nodeWide: boolean;
  /** Whether the pod gets `prometheus.io/` annotations, which tell a Prometheus where to scrape it. */
  scrapeAnnotations: boolean;
  resources: {
    requests: Quantities;
    limits: Quantities;
    /** Requests and limits of the sidecar in a pod of QoS class Guaranteed, where the two must be equal. */
    guaranteed: Required<Quantities>;
  };
}

export const defaultImage = `bpf-sidecar:${version}`;

export function injectionConfig(
  image: string,
  {
    privilege = 'privileged',
    nodeWide = false,
  }: Partial<Pick<InjectionConfig, 'privilege' | 'nodeWide'>> = {},
): InjectionConfig {
  return {
    version,
    image,
    imagePullPolicy: 'IfNotPresent',
    privilege,
    nodeWide,
    scrapeAnnotations: false,
    resources: {
      requests: { cpu: '20m', memory: '64Mi' },
      limits: { memory: '128Mi' },
      // A limit of 20m would stretch the sidecar's start, which the application waits for, to many seconds.
      guaranteed: { cpu: '200m', memory: '128Mi' },
    },
  };
}
