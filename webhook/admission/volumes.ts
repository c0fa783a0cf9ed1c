import type { V1Volume } from '@kubernetes/client-node';
import type { AddOperation } from 'fast-json-patch';
import type { Settings } from '../../sidecar/contract/annotations.ts';
import type { Pod } from './pod.ts';

/** All our volumes' names begin with this. */
export const volumePrefix = 'bpf-sidecar-';

export const volumeNames = {
  podInfo: `${volumePrefix}podinfo`,
  cgroup: `${volumePrefix}cgroup`,
  containerLogs: `${volumePrefix}containers`,
  bpffs: `${volumePrefix}bpffs`,
  proc: `${volumePrefix}proc`,
} as const;

/** The sidecar's volumes, with the API server's defaults spelled out as in `buildContainer`. */
export function buildVolumes({ programs }: Settings): V1Volume[] {
  return [
    {
      name: volumeNames.podInfo,
      downwardAPI: { items: [podInfo('annotations'), podInfo('labels')], defaultMode: 0o644 },
    },
    { name: volumeNames.cgroup, hostPath: { path: '/sys/fs/cgroup', type: 'Directory' } },
    {
      name: volumeNames.containerLogs,
      // The kubelet makes it when it starts; were it missing, the application would still have to start.
      hostPath: { path: '/var/log/containers', type: 'DirectoryOrCreate' },
    },
    // Unchecked: where it is no bpffs the sidecar does without, and the application must start in any case.
    { name: volumeNames.bpffs, hostPath: { path: '/sys/fs/bpf', type: '' } },
    ...(programs.length > 0
      ? [{ name: volumeNames.proc, hostPath: { path: '/proc', type: 'Directory' } }]
      : []),
  ];
}

export function addVolumes(pod: Pod, volumes: V1Volume[]): AddOperation<unknown>[] {
  return pod.spec.volumes
    ? volumes.map((volume) => ({ op: 'add', path: '/spec/volumes/-', value: volume }))
    : [{ op: 'add', path: '/spec/volumes', value: volumes }];
}

function podInfo(field: 'annotations' | 'labels') {
  return { path: field, fieldRef: { apiVersion: 'v1', fieldPath: `metadata.${field}` } };
}
