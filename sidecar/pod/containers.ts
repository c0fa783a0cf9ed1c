import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupId, subdirectories } from './cgroups.ts';
import type { Identity } from './identity.ts';

/** The names of the pod's containers by cgroup id. */
export interface Containers {
  /** Looks for containers that have come; call it before each scrape. */
  refresh(): void;
  /** The container's name; its id cut to 12 digits while kubelet has not told it; empty for the pod itself. */
  nameOf(cgroupId: bigint): string;
  /** Changes whenever a name that was given out before has changed. */
  generation(): number;
}

/** Container cgroups that are remembered after they have gone: their series stay for as long as their map entry. */
const maxRemembered = 4096;
const shortId = 12;

/**
 * `podPath` is the pod cgroup, `logs` the host's /var/log/containers, whose links
 * `<pod>_<namespace>_<container>-<id>.log` tell the names without asking the API server.
 */
export function createContainers(podPath: string, logs: string, identity: Identity): Containers {
  const names = new Map<bigint, string>();
  const ids = new Map<string, bigint>();
  const unnamed = new Map<bigint, string>();
  let generation = 0;

  /** Containers may nest cgroups, and a foreign program's key may hold the id of one of those. */
  function collect(path: string, containerId: string): void {
    const known = ids.get(path);
    const id = known ?? cgroupIdOrNone(path);
    if (id === undefined) return;
    if (known === undefined) {
      ids.set(path, id);
      unnamed.set(id, containerId);
      names.set(id, containerId.slice(0, shortId));
      generation++;
    }
    for (const child of subdirectories(path)) collect(join(path, child), containerId);
  }

  function name(): void {
    if (unnamed.size === 0) return;
    const told = containerNames(listing(logs), identity);
    for (const [id, containerId] of unnamed) {
      const containerName = told.get(containerId);
      if (containerName === undefined) continue;
      names.set(id, containerName);
      unnamed.delete(id);
      generation++;
    }
  }

  /** Forgets the oldest first. */
  function trim(): void {
    for (const [path, id] of ids) {
      if (ids.size <= maxRemembered) return;
      ids.delete(path);
      names.delete(id);
      unnamed.delete(id);
    }
  }

  return {
    refresh() {
      for (const child of subdirectories(podPath)) collect(join(podPath, child), containerIdOf(child));
      name();
      trim();
    },
    nameOf: (id) => names.get(id) ?? '',
    generation: () => generation,
  };
}

/** The container id in a cgroup's name: `<id>` (cgroupfs), `cri-containerd-<id>.scope`, `crio-<id>.scope`. */
export function containerIdOf(directory: string): string {
  return /([0-9a-f]{64})/.exec(directory)?.[1] ?? directory;
}

/** Container id -> container name, from the links' names. */
export function containerNames(links: readonly string[], identity: Identity): Map<string, string> {
  const prefix = `${identity.pod}_${identity.namespace}_`;
  const names = new Map<string, string>();
  for (const link of links) {
    if (!link.startsWith(prefix)) continue;
    const [, container, id] = /^(.+)-([0-9a-f]{64})\.log$/.exec(link.slice(prefix.length)) ?? [];
    if (container !== undefined && id !== undefined) names.set(id, container);
  }
  return names;
}

function listing(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function cgroupIdOrNone(path: string): bigint | undefined {
  try {
    return cgroupId(path);
  } catch {
    return undefined;
  }
}
