import { relative, sep } from 'node:path';
import type { Lifetimes } from '../../sidecar/maps/departed.ts';
import { readAncestors } from '../../sidecar/pod/ancestors.ts';
import { cgroupId, type PodCgroup } from '../../sidecar/pod/cgroups.ts';
import { cgroupRoot } from './cgroups.ts';
import type { Container, Sandbox } from './sandbox.ts';

/** For probes whose pod keeps its containers. */
export const lasting: Lifetimes = { isGone: () => false, departedId: (id) => id };

/** A sandbox as a sidecar in one of its containers would find it; for probes that run in our own process. */
export function placeOf(sandbox: Sandbox, sidecar: Container): PodCgroup {
  const root = readAncestors().indexOf(cgroupId(cgroupRoot()));
  return {
    path: sandbox.cgroup,
    level: root + relative(cgroupRoot(), sandbox.cgroup).split(sep).length,
    id: cgroupId(sandbox.cgroup),
    sidecar: cgroupId(sidecar.cgroup),
  };
}
