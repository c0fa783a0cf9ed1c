import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { mountPaths } from '../contract/pod.ts';
import { cgroupId, type PodCgroup, subdirectories } from './cgroups.ts';

/** The file systems of the pod's containers, the sidecar's own left out. */
export interface Roots {
  /** The paths at which we see them, one for each container that runs. */
  list(): string[];
}

const maxLinks = 40;

/**
 * They are found through the host's /proc where that is mounted, for our own shows only the processes of our own
 * PID namespace.
 */
export function createRoots(pod: PodCgroup): Roots {
  const proc = existsSync(mountPaths.proc) ? mountPaths.proc : '/proc';
  /** By container cgroup: a process in it. */
  const processes = new Map<string, string>();
  return {
    list() {
      const containers = subdirectories(pod.path).filter((name) => !isSidecar(join(pod.path, name), pod));
      for (const [container, pid] of processes)
        if (!containers.includes(container) || containerOf(proc, pid, containers) !== container)
          processes.delete(container);
      if (processes.size < containers.length) findProcesses(proc, containers, processes);
      return [...processes.values()].map((pid) => `${proc}/${pid}/root`);
    },
  };
}

function findProcesses(proc: string, containers: readonly string[], found: Map<string, string>): void {
  for (const pid of readdirSync(proc)) {
    if (!/^\d+$/.test(pid)) continue;
    const container = containerOf(proc, pid, containers);
    if (container !== undefined && !found.has(container)) found.set(container, pid);
  }
}

/** Names of container cgroups are unlike any other: they have the container's id. */
function containerOf(proc: string, pid: string, containers: readonly string[]): string | undefined {
  try {
    const [, path] = /^0::(.*)$/m.exec(readFileSync(`${proc}/${pid}/cgroup`, 'utf8')) ?? [];
    const parts = new Set(path?.split('/'));
    return containers.find((name) => parts.has(name));
  } catch {
    return undefined;
  }
}

function isSidecar(path: string, pod: PodCgroup): boolean {
  try {
    return cgroupId(path) === pod.sidecar;
  } catch {
    return true;
  }
}

/**
 * A path inside of a root as we see it, its links followed as the container follows them: an absolute one leads to the
 * container's root, not to ours. Undefined where there is nothing. Throws an Error where we may not look.
 */
export function resolveIn(root: string, path: string): string | undefined {
  const wanted = path.split('/').reverse();
  const resolved: string[] = [];
  for (let links = 0; wanted.length > 0; ) {
    const part = wanted.pop()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved.pop();
      continue;
    }
    const target = readLink([root, ...resolved, part].join('/'));
    if (target === undefined) resolved.push(part);
    else {
      if (++links > maxLinks) return undefined;
      if (target.startsWith('/')) resolved.length = 0;
      wanted.push(...target.split('/').reverse());
    }
  }
  const found = [root, ...resolved].join('/');
  return exists(found) ? found : undefined;
}

function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return false;
    throw new Error(
      `${path} cannot be looked at: the sidecar must have CAP_SYS_PTRACE to see files of other containers, and CAP_DAC_READ_SEARCH those that only their users may read`,
    );
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
