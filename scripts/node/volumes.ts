import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  V1Container,
  V1DownwardAPIVolumeSource,
  V1Pod,
  V1ProjectedVolumeSource,
  V1Volume,
} from '@kubernetes/client-node';
import { type Files, writeVolume } from './downward.ts';
import { fieldValue } from './fields.ts';
import { exists } from './files.ts';
import type { Mount, Sandbox } from './sandbox.ts';

/** The volumes of a pod: for each name the path on this machine. */
export type Volumes = Map<string, string>;

/** What a cluster would have for the volumes of a pod, as directories of this machine. */
export interface VolumeSources {
  /** Other paths for some hostPath volumes. */
  hostPaths?: Readonly<Record<string, string>>;
  /** ConfigMaps and Secrets by their names: a directory with a file for each key. */
  configMaps?: Readonly<Record<string, string>>;
  secrets?: Readonly<Record<string, string>>;
}

/** Makes a pod's volumes. A kind of volume that needs more of a cluster is refused. */
export function makeVolumes(pod: V1Pod, sandbox: Sandbox, sources: VolumeSources): Volumes {
  const place = (volume: V1Volume): string => {
    if (volume.hostPath) {
      const path = sources.hostPaths?.[volume.hostPath.path] ?? volume.hostPath.path;
      if (!exists(path)) throw new Error(`volume ${volume.name}: this machine has no ${path}`);
      return path;
    }
    if (!volume.emptyDir && !volume.downwardAPI && !volume.projected)
      throw new Error(
        `volume ${volume.name} is of a kind that needs a cluster; a sandbox has downwardAPI, emptyDir, hostPath and projected`,
      );
    const directory = join(sandbox.volumes, volume.name);
    mkdirSync(directory);
    return directory;
  };
  const volumes = new Map((pod.spec?.volumes ?? []).map((volume) => [volume.name, place(volume)]));
  writeFiles(pod, sandbox, sources, volumes);
  return volumes;
}

/** Writes the files of every downward API and projected volume from the pod, ConfigMaps and Secrets as they are now. */
export function writeFiles(pod: V1Pod, sandbox: Sandbox, sources: VolumeSources, volumes: Volumes): void {
  for (const { name, downwardAPI, projected } of pod.spec?.volumes ?? []) {
    if (downwardAPI) writeVolume(volumes.get(name)!, downwardFiles(name, downwardAPI, pod, sandbox));
    if (projected) writeVolume(volumes.get(name)!, projectedFiles(name, projected, sources));
  }
}

function downwardFiles(
  volume: string,
  { items = [] }: V1DownwardAPIVolumeSource,
  pod: V1Pod,
  sandbox: Sandbox,
): Files {
  const files = items.map(({ path, fieldRef }) => {
    if (!fieldRef) throw new Error(`volume ${volume}: a sandbox knows no resourceFieldRef; use a fieldRef`);
    return [path, fieldValue(pod, sandbox, fieldRef.fieldPath)];
  });
  return Object.fromEntries(files);
}

/** What is optional and not there is left out, as kubelet does. */
function projectedFiles(
  volume: string,
  { sources = [] }: V1ProjectedVolumeSource,
  from: VolumeSources,
): Files {
  const files: Record<string, Buffer> = {};
  for (const { configMap, secret } of sources) {
    const source = configMap ?? secret;
    if (!source?.items)
      throw new Error(`volume ${volume}: a sandbox projects items of ConfigMaps and Secrets only`);
    const directory = (configMap ? from.configMaps : from.secrets)?.[source.name ?? ''];
    for (const { key, path } of source.items) {
      const file = directory && join(directory, key);
      if (file && exists(file)) files[path] = readFileSync(file);
      else if (!source.optional)
        throw new Error(
          `volume ${volume}: there is no key ${key} of ${source.name}, for which kubelet would wait`,
        );
    }
  }
  return files;
}

export function mountsOf(container: V1Container, volumes: Volumes): Mount[] {
  return (container.volumeMounts ?? []).map(({ name, mountPath, subPath = '', readOnly = false }) => {
    const source = volumes.get(name);
    if (source === undefined)
      throw new Error(`container ${container.name} mounts the volume ${name}, which the pod does not have`);
    return { source: join(source, subPath), target: mountPath, readOnly };
  });
}
