import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupId, subdirectories } from './cgroups.ts';
import type { Identity } from './identity.ts';

/** The names of the pod's containers by cgroup id. */
export interface Containers {
  /** Looks for containers that have come or gone; call it before each scrape. Whether one is gone. */
  refresh(): boolean;
  /** The container's name; its id cut to 12 digits while kubelet has not told it; empty for the pod itself. */
  nameOf(cgroupId: bigint): string;
  /**
   * Whether a cgroup of the pod with this id exists no more. One that was never seen counts as gone when it was
   * asked for before an earlier refresh: it may have come since the last one.
   */
  isGone(id: bigint): boolean;
  /** The one id that stands for all cgroups of a container that are gone; nameOf knows it. */
  departedId(id: bigint): bigint;
  /** The cgroups of the containers that are there. */
  cgroups(): Iterable<ContainerCgroup>;
  /** The names of those that kubelet has told, sorted. */
  named(): string[];
  /** Changes whenever a name that was given out before has changed. */
  generation(): number;
}

/** A container cgroup, or a cgroup inside it. */
export interface ContainerCgroup {
  path: string;
  id: bigint;
  /** The container's name, as nameOf gives it. */
  name: string;
}

type PodName = Pick<Identity, 'namespace' | 'pod'>;

/** Container cgroups that are remembered after they have gone: their series stay for as long as their map entry. */
const maxRemembered = 4096;
const shortId = 12;
/** Ids from here on are no cgroup's: they stand for containers that are gone. */
const firstDepartedId = 2n ** 63n;

/**
 * `podPath` is the pod cgroup, `logs` the host's /var/log/containers, whose links
 * `<pod>_<namespace>_<container>-<id>.log` tell the names without asking the API server.
 */
export function createContainers(podPath: string, logs: string, identity: PodName): Containers {
  /** Of those that are there and of some that have gone. */
  const names = new Map<bigint, string>();
  const unnamed = new Map<bigint, string>();
  /** The cgroups that are there, with their paths. */
  const alive = new Map<bigint, string>();
  /** Ids that were asked for and never seen, with the refresh after which they were. */
  const unseen = new Map<bigint, number>();
  /** The ids that stand for those that are gone, by name and the other way round. */
  const departedIds = new Map<string, bigint>();
  const departedNames = new Map<bigint, string>();
  const podId = cgroupIdOrNone(podPath);
  let refreshes = 0;
  let generation = 0;

  /**
   * Containers may nest cgroups, and a foreign program's key may hold the id of one of those. A path may have another id
   * than before: what runs in a container may remove such a cgroup and make it anew.
   */
  function collect(path: string, containerId: string): void {
    const id = cgroupIdOrNone(path);
    if (id === undefined) return;
    alive.set(id, path);
    if (!names.has(id)) {
      unseen.delete(id);
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
      const containerName = nameIn(told, containerId);
      if (containerName === undefined) continue;
      names.set(id, containerName);
      unnamed.delete(id);
      generation++;
    }
  }

  /** Forgets of those that are gone the oldest first; those that are there keep their names, however many they are. */
  function trim(): void {
    let excess = names.size - alive.size - maxRemembered;
    for (const id of names.keys()) {
      if (excess <= 0) return;
      if (alive.has(id)) continue;
      names.delete(id);
      unnamed.delete(id);
      excess--;
    }
  }

  return {
    refresh() {
      refreshes++;
      const before = [...alive.keys()];
      alive.clear();
      if (podId !== undefined) alive.set(podId, podPath);
      for (const child of subdirectories(podPath)) collect(join(podPath, child), containerIdOf(child));
      name();
      trim();
      return before.some((id) => !alive.has(id));
    },
    nameOf: (id) => names.get(id) ?? departedNames.get(id) ?? '',
    isGone(id) {
      if (alive.has(id) || id >= firstDepartedId) return false;
      if (names.has(id)) return true;
      const since = unseen.get(id);
      if (since === undefined && unseen.size < maxRemembered) unseen.set(id, refreshes);
      return since !== undefined && since < refreshes;
    },
    departedId(id) {
      // An id instead of a name would be another one for each container.
      const name = unnamed.has(id) ? '' : (names.get(id) ?? '');
      let departed = departedIds.get(name);
      if (departed === undefined) {
        departed = firstDepartedId + BigInt(departedIds.size);
        departedIds.set(name, departed);
        departedNames.set(departed, name);
      }
      unseen.delete(id);
      return departed;
    },
    *cgroups() {
      for (const [id, path] of alive) if (id !== podId) yield { path, id, name: names.get(id) ?? '' };
    },
    named() {
      const told = [...alive.keys()].filter((id) => id !== podId && !unnamed.has(id));
      return [...new Set(told.map((id) => names.get(id)!))].sort();
    },
    generation: () => generation,
  };
}

/** The container id in a cgroup's name: `<id>` (cgroupfs), `cri-containerd-<id>.scope`, `crio-<id>.scope`. */
export function containerIdOf(directory: string): string {
  return /([0-9a-f]{64})/.exec(directory)?.[1] ?? directory;
}

/** Digits of a container's id that are enough to know it in its pod; kubelet itself is content with as many. */
const minIdDigits = 6;
/** The longest name of a file. Kubelet cuts a link's name to fit, which takes digits from the id's end. */
const maxLinkLength = 255;

/** Container id -> container name, from the links' names. Of an id that kubelet has cut it is what is left of it. */
export function containerNames(links: readonly string[], identity: PodName): Map<string, string> {
  const prefix = `${identity.pod}_${identity.namespace}_`;
  const names = new Map<string, string>();
  for (const link of links) {
    if (!link.startsWith(prefix)) continue;
    const [, container, id] = /^(.+)-([0-9a-f]{1,64})\.log$/.exec(link.slice(prefix.length)) ?? [];
    if (container === undefined || id === undefined) continue;
    if (id.length === 64 || (link.length === maxLinkLength && id.length >= minIdDigits))
      names.set(id, container);
  }
  return names;
}

/** The name of a container in what containerNames gives. */
export function nameIn(names: ReadonlyMap<string, string>, containerId: string): string | undefined {
  return names.get(containerId) ?? [...names].find(([id]) => containerId.startsWith(id))?.[1];
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
