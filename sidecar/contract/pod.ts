/**
 * What the webhook puts into the pod and the sidecar finds there: names, mount paths, environment.
 * Each value is decided here and nowhere else.
 */

export const containerName = 'bpf-sidecar';

/** Where the sidecar finds what the webhook mounts. */
export const mountPaths = {
  /** Downward API volume with the files `annotations` and `labels`. */
  podInfo: '/etc/bpf-sidecar/podinfo',
  /** Where the API server mounts the token of the pod's service account, unless something is there. */
  serviceAccount: '/var/run/secrets/kubernetes.io/serviceaccount',
  /** The host's /sys/fs/cgroup: also readable when the container has a cgroup namespace of its own. */
  cgroup: '/host/sys/fs/cgroup',
  /** The host's /var/log/containers, whose link names tell the name of a container id. */
  containerLogs: '/host/var/log/containers',
  /** The host's /sys/fs/bpf, through which the sidecars of a node share their dispatchers. */
  bpffs: '/host/sys/fs/bpf',
  /** A directory for each of the user's own programs, by its name, with the files `programFiles`. */
  programs: '/etc/bpf-sidecar/programs',
  /** The host's /proc, through which executables and libraries in the pod's other containers are found. */
  proc: '/host/proc',
} as const;

/** In the directory of a program: its object, and its metric spec, which may be left out. */
export const programFiles = { object: 'program.bpf.o', spec: 'metrics.yaml' } as const;

/** Environment variables of the sidecar; the first four come from the downward API. */
export const environment = {
  namespace: 'POD_NAMESPACE',
  pod: 'POD_NAME',
  uid: 'POD_UID',
  node: 'NODE_NAME',
  port: 'BPF_SIDECAR_PORT',
  /** `true` when the pod is on its node's network. */
  hostNetwork: 'HOST_NETWORK',
  /** `true` when the administrator lets programs of the pod run for the whole node. */
  nodeWide: 'ALLOW_NODE_WIDE',
  /** `true` when the sidecar gives up, once its probes are attached, what it would need to change them. */
  attachOnly: 'ATTACH_ONLY',
  /** Names of the user's own programs, separated by commas, whose metric spec is or will be in their directory. */
  programsWithSpec: 'PROGRAMS_WITH_SPEC',
} as const;

/** HTTP paths of the sidecar's port. */
export const paths = {
  metrics: '/metrics',
  health: '/healthz',
  /** 200 only when every probe is attached. */
  ready: '/readyz',
  /**
   * 200 as soon as every probe is attached or has failed for good: what the startupProbe asks, because a
   * probe that cannot attach must not keep the application from starting.
   */
  settled: '/readyz?fail-open=true',
  /** Where Go's own net/http/pprof has it. */
  profile: '/debug/pprof/profile',
} as const;
