import type { V1Container, V1Volume } from '@kubernetes/client-node';

/** What is injected into one pod. */
export interface Sidecar {
  container: V1Container;
  volumes: V1Volume[];
  /** Names of the probes that the pod asked for. */
  probes: string[];
  /** Names of the BPF resources whose programs it asked for. */
  programs: string[];
  port: number;
  /** Further annotations of the pod. */
  annotations: Record<string, string>;
}
