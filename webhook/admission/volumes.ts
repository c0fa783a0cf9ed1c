import type { V1Volume, V1VolumeProjection } from '@kubernetes/client-node';
import type { AddOperation } from 'fast-json-patch';
import { programFiles } from '../../sidecar/contract/pod.ts';
import type { KeyReference, Program } from '../programs/resource.ts';
import type { Pod } from './pod.ts';

/** All our volumes' names begin with this. */
export const volumePrefix = 'bpf-sidecar-';

export const volumeNames = {
  podInfo: `${volumePrefix}podinfo`,
  cgroup: `${volumePrefix}cgroup`,
  containerLogs: `${volumePrefix}containers`,
  bpffs: `${volumePrefix}bpffs`,
  proc: `${volumePrefix}proc`,
  /** Numbered as the pod names its programs: the names of these may be longer than those of volumes. */
  program: (index: number) => `${volumePrefix}program-${index}`,
} as const;

/** The sidecar's volumes, with the API server's defaults spelled out as in `buildContainer`. */
export function buildVolumes(programs: readonly Program[]): V1Volume[] {
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
    ...programs.map(programVolume),
  ];
}

export function addVolumes(pod: Pod, volumes: V1Volume[]): AddOperation<unknown>[] {
  return pod.spec.volumes
    ? volumes.map((volume) => ({ op: 'add', path: '/spec/volumes/-', value: volume }))
    : [{ op: 'add', path: '/spec/volumes', value: volumes }];
}

/** A volume for each, so that what changes in one does not look like a change of the others. */
function programVolume({ object, spec }: Program, index: number): V1Volume {
  const sources = [fileOf(object, programFiles.object), ...(spec ? [fileOf(spec, programFiles.spec)] : [])];
  return { name: volumeNames.program(index), projected: { sources, defaultMode: 0o644 } };
}

/** Optional: the application must start although the object or its key is missing, and the kubelet brings it later. */
function fileOf({ kind, name, key }: KeyReference, path: string): V1VolumeProjection {
  const source = { name, items: [{ key, path }], optional: true };
  return kind === 'ConfigMap' ? { configMap: source } : { secret: source };
}

function podInfo(field: 'annotations' | 'labels') {
  return { path: field, fieldRef: { apiVersion: 'v1', fieldPath: `metadata.${field}` } };
}
