import type {
  V1Container,
  V1EnvVar,
  V1Probe,
  V1ResourceRequirements,
  V1SecurityContext,
} from '@kubernetes/client-node';
import type { AddOperation } from 'fast-json-patch';
import type { Settings } from '../../sidecar/contract/annotations.ts';
import { neededCapabilities } from '../../sidecar/contract/capabilities.ts';
import { containerName, environment, mountPaths, paths } from '../../sidecar/contract/pod.ts';
import type { InjectionConfig } from '../config.ts';
import type { Program } from '../programs/resource.ts';
import type { Pod } from './pod.ts';
import { volumeNames } from './volumes.ts';

export const portName = 'bpf-metrics';

/**
 * The sidecar's container. What the API server would fill in is spelled out, so that a container that went
 * through it is still equal to what is built here.
 */
export function buildContainer(
  pod: Pod,
  settings: Settings,
  programs: readonly Program[],
  resources: V1ResourceRequirements,
  config: InjectionConfig,
): V1Container {
  const port = settings.metricsPort;
  const withSpec = programs.filter(({ spec }) => spec !== undefined).map(({ name }) => name);
  return {
    name: containerName,
    image: config.image,
    imagePullPolicy: config.imagePullPolicy,
    args: ['run'],
    // A native sidecar: starts before the application, ends after it, and does not keep a Job from completing.
    restartPolicy: 'Always',
    env: [
      fromField(environment.namespace, 'metadata.namespace'),
      fromField(environment.pod, 'metadata.name'),
      fromField(environment.uid, 'metadata.uid'),
      fromField(environment.node, 'spec.nodeName'),
      { name: environment.port, value: String(port) },
      ...(pod.spec.hostNetwork ? [{ name: environment.hostNetwork, value: 'true' }] : []),
      ...(config.nodeWide ? [{ name: environment.nodeWide, value: 'true' }] : []),
      ...(config.privilege === 'attach-only' ? [{ name: environment.attachOnly, value: 'true' }] : []),
      ...(withSpec.length > 0 ? [{ name: environment.programsWithSpec, value: withSpec.join() }] : []),
    ],
    ports: [
      {
        name: portName,
        containerPort: port,
        ...(pod.spec.hostNetwork && { hostPort: port }),
        protocol: 'TCP',
      },
    ],
    startupProbe: probe(paths.settled, { periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 60 }),
    // No readinessProbe: a sidecar that is not ready would take the application out of its Service.
    livenessProbe: probe(paths.health, { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 }),
    securityContext: securityContext(settings, config),
    resources,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    // Without mountPropagation: nothing is mounted below these later, and HostToContainer fails on hosts whose
    // mounts are private.
    volumeMounts: [
      { name: volumeNames.podInfo, mountPath: mountPaths.podInfo, readOnly: true },
      // It has no use for a token. And had the API server to add one, it would ask every webhook of the pod again.
      { name: volumeNames.podInfo, mountPath: mountPaths.serviceAccount, readOnly: true },
      { name: volumeNames.cgroup, mountPath: mountPaths.cgroup, readOnly: true },
      { name: volumeNames.containerLogs, mountPath: mountPaths.containerLogs, readOnly: true },
      { name: volumeNames.bpffs, mountPath: mountPaths.bpffs },
      // Built-in probes look into no other container's files.
      ...(programs.length > 0
        ? [{ name: volumeNames.proc, mountPath: mountPaths.proc, readOnly: true }]
        : []),
      ...programs.map(({ name }, index) => ({
        name: volumeNames.program(index),
        mountPath: `${mountPaths.programs}/${name}`,
        readOnly: true,
      })),
    ],
  };
}

/** What is an annotation's here decides only which capabilities the administrator's choice comes to. */
function securityContext(
  { probes, programs, metricsPort }: Settings,
  { privilege }: InjectionConfig,
): V1SecurityContext {
  return {
    ...(privilege === 'privileged'
      ? { privileged: true }
      : {
          privileged: false,
          capabilities: { drop: ['ALL'], add: neededCapabilities(probes, programs, metricsPort) },
        }),
    runAsUser: 0,
    runAsGroup: 0,
    runAsNonRoot: false,
    readOnlyRootFilesystem: true,
    // A profile of the pod would be inherited, and those of runtimes may refuse eBPF: AppArmor's even to privileged
    // containers.
    seccompProfile: { type: 'Unconfined' },
    appArmorProfile: { type: 'Unconfined' },
  };
}

/** First in the list, so that the init containers are observed too. */
export function addContainer(pod: Pod, container: V1Container): AddOperation<unknown>[] {
  return pod.spec.initContainers
    ? [{ op: 'add', path: '/spec/initContainers/0', value: container }]
    : [{ op: 'add', path: '/spec/initContainers', value: [container] }];
}

function fromField(name: string, fieldPath: string): V1EnvVar {
  return { name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } };
}

function probe(path: string, timing: V1Probe): V1Probe {
  return { httpGet: { path, port: portName, scheme: 'HTTP' }, ...timing, successThreshold: 1 };
}
