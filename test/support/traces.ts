import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupName, directory, hostLink } from '../../scripts/cluster/node/place.ts';
import { cgroupRoot } from '../../scripts/node/cgroups.ts';
import { mounts } from '../../scripts/node/mounts.ts';
import { heldBy, remaining } from './kernel.ts';

/** What the processes of the cluster hold of eBPF programs, maps and links. */
export function heldByCluster(): string[] {
  const root = join(cgroupRoot(), cgroupName);
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const pids = files
    .filter((file) => file.endsWith('cgroup.procs'))
    .flatMap((file) => readFileSync(join(root, file), 'utf8').match(/\d+/g) ?? []);
  return [...new Set(pids.flatMap((pid) => heldBy(Number(pid))))];
}

/** What there still is of the cluster of this machine, and of the eBPF objects that it had. */
export function tracesOf(held: readonly string[]): string[] {
  const hierarchies = mounts().filter(({ type }) => type.startsWith('cgroup'));
  const places = [
    directory,
    `/sys/class/net/${hostLink}`,
    ...hierarchies.map(({ target }) => join(target, cgroupName)),
  ].filter(existsSync);
  const mounted = mounts().filter(({ target }) => target.startsWith(directory));
  return [...places, ...mounted.map(({ target }) => `mount ${target}`), ...remaining(held)];
}
