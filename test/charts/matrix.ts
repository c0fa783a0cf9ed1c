/** Values by what they are an example of: each alternative that the chart has is in one of them. */
export const matrix: Readonly<Record<string, object>> = {
  defaults: {},
  'refusing what is wrong': {
    admission: { failurePolicy: 'Fail', invalidAnnotations: 'refuse', timeoutSeconds: 30 },
  },
  'opt-in': { admission: { optIn: true } },
  'images by digest': {
    image: { repository: 'registry.example/webhook', digest: `sha256:${'a'.repeat(64)}` },
    sidecar: { image: { repository: 'registry.example/sidecar', digest: `sha256:${'b'.repeat(64)}` } },
    imagePullSecrets: [{ name: 'registry' }],
  },
  'images by tag': {
    image: { repository: 'registry.example/webhook', tag: '1.2.3', pullPolicy: 'Always' },
    sidecar: { image: { repository: 'registry.example/sidecar', tag: '1.2.3', pullPolicy: 'Always' } },
  },
  capabilities: { sidecar: { privilege: 'capabilities', allowNodeWide: true } },
  'attach-only': { sidecar: { privilege: 'attach-only', resources: { guaranteed: { cpu: 1 } } } },
  'after an upgrade': { policies: { previous: { image: 'bpf-sidecar:0.0.9', privilege: 'capabilities' } } },
  'groups that may enter': { policies: { exemptGroups: ['system:masters', 'oidc:platform team'] } },
  'without policies': { policies: { enabled: false } },
  'programs in two namespaces': {
    sidecar: { privilege: 'capabilities' },
    programs: { allowedNamespaces: ['shop', 'lab'] },
  },
  'programs everywhere': { sidecar: { privilege: 'capabilities' }, programs: { allowedNamespaces: ['*'] } },
  'a monitor for each namespace': {
    monitors: {
      scope: 'namespace',
      interval: '1m30s',
      timeout: '20s',
      labels: { release: 'prometheus' },
      relabelings: [{ targetLabel: 'cluster', replacement: 'east' }],
      metricRelabelings: [{ action: 'labeldrop', regex: 'node' }],
    },
  },
  'pod monitors': { monitors: { kind: 'PodMonitor' } },
  'annotations for Prometheus': { monitors: { kind: 'annotations' } },
  'no monitors': { monitors: { kind: 'none' } },
  'cert-manager with an issuer of its own': { certificate: { source: 'cert-manager' } },
  "cert-manager with the cluster's issuer": {
    certificate: { source: 'cert-manager', issuerRef: { kind: 'ClusterIssuer', name: 'internal' } },
    prometheusRule: { enabled: true },
  },
  'a given Secret': {
    certificate: {
      source: 'secret',
      secretName: 'webhook-tls',
      caBundle: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
    },
  },
  'with the Prometheus Operator': {
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, interval: '15s' },
    prometheusRule: {
      enabled: true,
      labels: { release: 'prometheus' },
      runbooks: 'https://wiki.example/alerts',
    },
  },
  'with Grafana': {
    dashboards: { enabled: true, namespace: 'grafana', annotations: { grafana_folder: 'eBPF' } },
  },
  'placed by the administrator': {
    replicas: 3,
    resources: { requests: { cpu: '1' }, limits: { memory: '1Gi' } },
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'control-plane', operator: 'Exists' }],
    priorityClassName: 'system-cluster-critical',
  },
  'without a network policy': { networkPolicy: { enabled: false } },
  'another port of the API server': { networkPolicy: { apiServerPorts: [7443] } },
  'part of another chart': { global: { region: 'east' } },
};
