import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The pod in the cgroup v2 hierarchy. Ids are those of bpf_get_current_cgroup_id. */
export interface PodCgroup {
  /** The pod cgroup's directory. */
  path: string;
  /** Its depth in the hierarchy, whose root has level 0. */
  level: number;
  id: bigint;
  /** The sidecar's own container cgroup. */
  sidecar: bigint;
  /** Whether its network namespace is that of the node, and of other pods with it. */
  onHostNetwork?: boolean;
  /** Whether the administrator lets its programs run for the whole node. */
  mayObserveNode?: boolean;
}

/** The deepest that a pod cgroup is looked for: some distributions put kubepods below cgroups of their own. */
const maxDepth = 8;

/**
 * Finds the pod cgroup by the pod's uid. `ancestors` are the cgroup ids down to this process, see
 * readAncestors: they give the true level. It works in the host's cgroup namespace and in one of the
 * container's own, as long as the host's hierarchy is mounted somewhere. Throws an Error that says what is
 * missing.
 */
export function findPodCgroup(uid: string, ancestors: readonly bigint[]): PodCgroup {
  const mounts = cgroup2Mounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (mounts.length === 0)
    throw new Error('no cgroup v2 hierarchy is mounted: the node must run with cgroup v2, unified or hybrid');
  const ownPath = readOwnPath();
  for (const mount of mounts) {
    const path = findPodDirectory(mount, uid, ownPath);
    if (path === undefined) continue;
    const id = cgroupId(path);
    const level = ancestors.indexOf(id);
    const sidecar = ancestors[level + 1];
    if (level < 0 || sidecar === undefined)
      throw new Error(
        `this process is in no container cgroup of ${path}: POD_UID ${uid} is not its own pod's`,
      );
    return { path, level, id, sidecar };
  }
  throw new Error(
    `no cgroup of pod ${uid} under ${mounts.join(' or ')}: POD_UID must be this pod's uid, and the host's /sys/fs/cgroup mounted`,
  );
}

/** Where cgroup v2 hierarchies are mounted, from /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export function cgroup2Mounts(mountinfo: string): string[] {
  const points = mountinfo.split('\n').flatMap((line) => {
    const [head, tail] = line.split(' - ');
    const point = head?.split(' ')[4];
    return tail?.startsWith('cgroup2 ') && point ? [unescapeOctal(point)] : [];
  });
  return [...new Set(points)];
}

/** The cgroup id of a directory: its inode number, which on 64-bit kernels since 5.5 is the whole kernfs id. */
export function cgroupId(path: string): bigint {
  return statSync(path, { bigint: true }).ino;
}

/** Whether a directory is the pod's: `pod<uid>` (cgroupfs driver) or `...-pod<uid with _>.slice` (systemd). */
export function isPodDirectory(name: string, uid: string): boolean {
  return name === `pod${uid}` || name.endsWith(`-pod${uid.replaceAll('-', '_')}.slice`);
}

/** Our path in the v2 hierarchy, which in a cgroup namespace of our own is `/`. */
function readOwnPath(): string {
  const line = readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m);
  return line?.[1] ?? '/';
}

function findPodDirectory(mount: string, uid: string, ownPath: string): string | undefined {
  const parts = ownPath.split('/');
  const index = parts.findIndex((part) => isPodDirectory(part, uid));
  const known = index > 0 ? join(mount, ...parts.slice(0, index + 1)) : undefined;
  return known && isDirectory(known) ? known : searchPodDirectory(mount, uid);
}

/** Breadth first, since pods are near the root and other services' trees may be deep. */
function searchPodDirectory(mount: string, uid: string): string | undefined {
  let level = [mount];
  for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
    const next = level.flatMap((parent) => subdirectories(parent).map((name) => join(parent, name)));
    const found = next.find((path) => isPodDirectory(path.slice(path.lastIndexOf('/') + 1), uid));
    if (found !== undefined) return found;
    level = next;
  }
  return undefined;
}

/** Empty for a directory that has just gone. */
export function subdirectories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
}
