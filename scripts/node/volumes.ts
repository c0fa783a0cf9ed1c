import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { V1Container, V1Pod, V1Volume } from '@kubernetes/client-node';
import { writeVolume } from './downward.ts';
import { fieldValue } from './fields.ts';
import { exists } from './files.ts';
import type { Mount, Sandbox } from './sandbox.ts';

/** The volumes of a pod: for each name the path on this machine. */
export type Volumes = Map<string, string>;

/**
 * Makes a pod's volumes. `hostPaths` gives other paths for some of the machine's own. A kind of volume that
 * needs a cluster is refused.
 */
export function makeVolumes(
  pod: V1Pod,
  sandbox: Sandbox,
  hostPaths: Readonly<Record<string, string>>,
): Volumes {
  const place = (volume: V1Volume): string => {
    if (volume.hostPath) {
      const path = hostPaths[volume.hostPath.path] ?? volume.hostPath.path;
      if (!exists(path)) throw new Error(`volume ${volume.name}: this machine has no ${path}`);
      return path;
    }
    if (!volume.emptyDir && !volume.downwardAPI)
      throw new Error(
        `volume ${volume.name} is of a kind that needs a cluster; a sandbox has downwardAPI, emptyDir and hostPath`,
      );
    const directory = join(sandbox.volumes, volume.name);
    mkdirSync(directory);
    return directory;
  };
  const volumes = new Map((pod.spec?.volumes ?? []).map((volume) => [volume.name, place(volume)]));
  writeDownwardFiles(pod, sandbox, volumes);
  return volumes;
}

/** Writes the files of every downward API volume from the pod as it is now. */
export function writeDownwardFiles(pod: V1Pod, sandbox: Sandbox, volumes: Volumes): void {
  for (const { name, downwardAPI } of pod.spec?.volumes ?? []) {
    const files = (downwardAPI?.items ?? []).map(({ path, fieldRef }) => {
      if (!fieldRef) throw new Error(`volume ${name}: a sandbox knows no resourceFieldRef; use a fieldRef`);
      return [path, fieldValue(pod, sandbox, fieldRef.fieldPath)];
    });
    if (downwardAPI) writeVolume(volumes.get(name)!, Object.fromEntries(files));
  }
}

export function mountsOf(container: V1Container, volumes: Volumes): Mount[] {
  return (container.volumeMounts ?? []).map(({ name, mountPath, subPath = '', readOnly = false }) => {
    const source = volumes.get(name);
    if (source === undefined)
      throw new Error(`container ${container.name} mounts the volume ${name}, which the pod does not have`);
    return { source: join(source, subPath), target: mountPath, readOnly };
  });
}
