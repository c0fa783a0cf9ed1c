import type { Random } from '../../scripts/fuzz/random.ts';

// biome-ignore lint/suspicious/noExplicitAny: raw JSON of any shape
type Raw = any;

/**
 * A pod that an API server takes, with any combination of what matters to a sidecar: lists that are absent, empty or
 * full, resources of every QoS class, security contexts, ports, and fields that no client library knows.
 */
export function randomPod(random: Random): Raw {
  const { below, pick } = random;
  const chance = (percent: number) => below(100) < percent;
  const some = <T>(most: number, make: (n: number) => T): T[] =>
    Array.from({ length: below(most + 1) }, (_, n) => make(n));
  const maybe = (percent: number, fields: () => object) => (chance(percent) ? fields() : {});
  /** A list that may as well be left out, or be null, as clients write what they do not set. */
  const list = (field: string, items: unknown[]) =>
    items.length > 0 ? { [field]: items } : pick([{}, { [field]: [] }, { [field]: null }]);

  const hostNetwork = chance(10);
  const volumes = some(4, (n) => ({
    name: `volume-${n}`,
    ...pick([
      () => ({ emptyDir: {} }),
      () => ({ emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } }),
      () => ({ configMap: { name: 'settings', defaultMode: 0o640, optional: true } }),
      () => ({ hostPath: { path: '/var/lib/data', type: '' } }),
      () => ({ downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } }),
    ])(),
  }));
  const guaranteed = chance(20);
  const resources = () => {
    const both = { cpu: pick(['100m', '0.5', '2']), memory: pick(['64Mi', '1Gi', '500M']) };
    if (guaranteed) return { resources: { limits: both, ...maybe(50, () => ({ requests: both })) } };
    return pick<() => object>([
      () => ({}),
      () => ({ resources: {} }),
      () => ({ resources: { requests: both } }),
      () => ({ resources: { limits: { cpu: both.cpu } } }),
      () => ({ resources: { requests: { memory: '32Mi' }, limits: { memory: both.memory } } }),
    ])();
  };
  /** A port of its own for each container, since the pod may be on its node's network. */
  let nextPort = 8000;
  const port = () => {
    const containerPort = nextPort++;
    return {
      containerPort,
      ...maybe(50, () => ({ protocol: pick(['TCP', 'UDP', 'SCTP']) })),
      ...(hostNetwork ? { hostPort: containerPort } : maybe(10, () => ({ hostPort: containerPort }))),
    };
  };
  const container = (name: string) => ({
    name,
    image: pick(['nginx:1.27', 'registry.example/team/app@sha256:0123', 'busybox']),
    ...maybe(30, () => ({ command: ['sh', '-c', 'sleep 1d'] })),
    ...maybe(40, () => ({ env: [{ name: 'TZ', value: 'UTC' }, { name: 'EMPTY' }] })),
    ...list('ports', some(2, port)),
    ...resources(),
    ...maybe(30, () => ({
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    })),
    ...list(
      'volumeMounts',
      volumes.filter(() => chance(40)).map(({ name: volume }) => ({ name: volume, mountPath: `/${volume}` })),
    ),
    ...maybe(10, () => ({ fieldOfTomorrow: { nested: [1, 'two', null, true] } })),
  });
  const initContainers = some(3, (n) => ({
    ...container(`init-${n}`),
    ...maybe(30, () => ({ restartPolicy: 'Always' })),
  }));
  const containers = [container('app'), ...some(2, (n) => container(`helper-${n}`))];

  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...pick([{ name: 'web-0' }, { generateName: 'web-' }]),
      namespace: 'default',
      ...maybe(60, () => ({ labels: { app: 'web', 'example.com/a_b': 'x' } })),
      annotations: {
        'bpf.sh/inject': 'true',
        ...randomSettings(random, containers),
        'example.com/note': 'ä/~1"',
        ...maybe(20, () => ({
          'cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes': 'data,cache',
        })),
      },
      ...maybe(30, () => ({
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'u', controller: true },
        ],
      })),
    },
    spec: {
      ...list('volumes', volumes),
      ...list('initContainers', initContainers),
      containers,
      ...(hostNetwork && { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }),
      ...maybe(40, () => ({
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 1000,
          fsGroup: 2000,
          seccompProfile: { type: 'RuntimeDefault' },
        },
      })),
      ...pick([{}, {}, { shareProcessNamespace: true }, { hostPID: true, hostIPC: true }]),
      ...maybe(30, () => ({ serviceAccountName: 'default', automountServiceAccountToken: false })),
      ...maybe(20, () => ({ priority: 0, tolerations: [{ key: 'a', operator: 'Exists' }] })),
      ...pick([{}, { restartPolicy: 'Never' }, { restartPolicy: 'OnFailure' }]),
      ...maybe(10, () => ({ specOfTomorrow: [{ deep: { er: 1.5 } }] })),
    },
  };
}

function randomSettings({ below, pick }: Random, containers: { name: string }[]): Record<string, string> {
  const settings: [name: string, value: string][] = [
    ['probes', pick(['', 'network', 'tcp,cpu', 'profile,dns'])],
    ['metrics-port', pick(['80', '9387', '9400'])],
    ['pod-labels', 'app,example.com/team'],
    ['containers', containers.map(({ name }) => name).join(',')],
    ['log-level', pick(['debug', 'error'])],
    ['cpu-request', pick(['10m', '50m'])],
    ['memory-limit', pick(['128Mi', '1Gi'])],
  ];
  return Object.fromEntries(
    settings.filter(() => below(4) === 0).map(([name, value]) => [`bpf.sh/${name}`, value]),
  );
}
