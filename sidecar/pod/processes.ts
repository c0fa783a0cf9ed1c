import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt } from '../attempt.ts';
import { cgroupId, type PodCgroup, subdirectories } from './cgroups.ts';

/**
 * Whether the sidecar has a PID namespace of its own, so that it sees no process of the pod's other containers: the first
 * process of the namespace is then one of its container.
 */
export function isAlone(pod: PodCgroup): boolean {
  const own = subdirectories(pod.path)
    .map((name) => join(pod.path, name))
    .find((path) => attempt(() => cgroupId(path)) === pod.sidecar);
  return own !== undefined && /^1$/m.test(readFileSync(join(own, 'cgroup.procs'), 'utf8'));
}
