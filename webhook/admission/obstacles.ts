import type { Settings } from '../../sidecar/contract/annotations.ts';
import { type NamespaceLabels, podSecurityLabel } from './namespace.ts';
import { containersOf, type Pod, quote } from './pod.ts';
import type { SkipReason } from './reasons.ts';

/** Says what stands in the way of a sidecar in this pod, or undefined. */
type Obstacle = (pod: Pod, settings: Settings, labels: NamespaceLabels) => string | undefined;

/** What can be wrong with a pod that asks for a sidecar properly, by reason; the first that is wrong counts. */
export const obstacles: readonly (readonly [SkipReason, Obstacle])[] = [
  [
    'windows',
    (pod) => (pod.spec.os?.name === 'windows' ? 'spec.os.name is windows; eBPF needs Linux' : undefined),
  ],
  [
    'user-namespace',
    (pod) =>
      pod.spec.hostUsers === false
        ? 'spec.hostUsers is false; the kernel permits no eBPF in the user namespace of a pod'
        : undefined,
  ],
  ['sandboxed-runtime', sandboxedRuntime],
  [
    'mirror-pod',
    (pod) =>
      pod.metadata?.annotations?.['kubernetes.io/config.mirror'] === undefined
        ? undefined
        : 'the kubelet runs this pod from a file on its node; inject the file with "bpf-sidecar inject"',
  ],
  ['pod-security', podSecurity],
  ['port-conflict', portConflict],
  [
    'namespace-unknown',
    (_, __, labels) =>
      labels === 'unknown'
        ? 'the labels of the namespace, which may refuse the sidecar, are not known yet; create the pod again'
        : undefined,
  ],
];

/** The name of a RuntimeClass is for the administrator to choose, so only the usual ones are known. */
function sandboxedRuntime({ spec: { runtimeClassName } }: Pod): string | undefined {
  return typeof runtimeClassName === 'string' && /^(gvisor|runsc|kata)(-|$)/.test(runtimeClassName)
    ? `spec.runtimeClassName is ${runtimeClassName}; such a pod has a kernel of its own, and may not start with a privileged container`
    : undefined;
}

function podSecurity(_: Pod, __: Settings, labels: NamespaceLabels): string | undefined {
  const label = podSecurityLabel(labels, 'enforce');
  return label === undefined
    ? undefined
    : `the namespace's label ${label} refuses every pod with the sidecar, which mounts paths of the node; use a namespace whose level is privileged`;
}

function portConflict(pod: Pod, { metricsPort }: Settings): string | undefined {
  const rival = containersOf(pod).find(({ ports }) =>
    ports?.some(
      ({ containerPort, hostPort, protocol = 'TCP' }) =>
        protocol === 'TCP' &&
        (containerPort === metricsPort || (pod.spec.hostNetwork && hostPort === metricsPort)),
    ),
  );
  return rival
    ? `container ${quote(rival.name)} declares port ${metricsPort}/TCP; choose another with bpf.sh/metrics-port`
    : undefined;
}
