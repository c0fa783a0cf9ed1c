import type { Settings } from '../../sidecar/contract/annotations.ts';
import { containerName } from '../../sidecar/contract/pod.ts';
import { containersOf, type Pod } from './pod.ts';
import type { SkipReason } from './reasons.ts';

/** Says what stands in the way of a sidecar in this pod, or undefined. */
type Obstacle = (pod: Pod, settings: Settings) => string | undefined;

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
  [
    'mirror-pod',
    (pod) =>
      pod.metadata?.annotations?.['kubernetes.io/config.mirror'] === undefined
        ? undefined
        : 'the kubelet runs this pod from a file on its node; inject the file with "bpf-sidecar inject"',
  ],
  [
    'programs-not-allowed',
    (_, { programs }) =>
      programs.length > 0
        ? "annotation bpf.sh/programs asks for a user's own programs, which this version does not run; remove it"
        : undefined,
  ],
  ['port-conflict', portConflict],
];

function portConflict(pod: Pod, { metricsPort }: Settings): string | undefined {
  const rival = containersOf(pod).find(
    ({ name, ports }) =>
      name !== containerName &&
      ports?.some(
        ({ containerPort, hostPort, protocol = 'TCP' }) =>
          protocol === 'TCP' &&
          (containerPort === metricsPort || (pod.spec.hostNetwork && hostPort === metricsPort)),
      ),
  );
  return rival
    ? `container "${rival.name}" declares port ${metricsPort}/TCP; choose another with bpf.sh/metrics-port`
    : undefined;
}
