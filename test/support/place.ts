import type { PodCgroup } from '../../sidecar/pod/cgroups.ts';

/** A pod cgroup as text, for another process. */
export function formatPod({ path, level, id, sidecar }: PodCgroup): string {
  return JSON.stringify({ path, level, id: String(id), sidecar: String(sidecar) });
}

export function parsePod(text: string): PodCgroup {
  const { path, level, id, sidecar } = JSON.parse(text);
  return { path, level, id: BigInt(id), sidecar: BigInt(sidecar) };
}
