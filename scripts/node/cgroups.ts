import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exists, readIfThere } from './files.ts';
import { mounts } from './mounts.ts';

export type CgroupStyle = 'cgroupfs' | 'systemd';
export type Qos = 'guaranteed' | 'burstable' | 'besteffort';

/** Where pods live when `kubepods` at the top of the hierarchy belongs to a real kubelet. */
const ownParent = 'bpf-sidecar-sandbox';

/** What kubelet gives to pods. */
const controllers = ['cpu', 'io', 'memory', 'pids'];

/** The mount point of the cgroup v2 hierarchy: /sys/fs/cgroup, or /sys/fs/cgroup/unified on hybrid hosts. */
export function cgroupRoot(): string {
  const mount = mounts().find((mount) => mount.type === 'cgroup2');
  if (mount === undefined)
    throw new Error(
      'no cgroup v2 hierarchy is mounted on this machine; boot it with systemd.unified_cgroup_hierarchy=1',
    );
  return mount.target;
}

/** The path of a pod below the cgroup root, as kubelet's cgroup driver names it. */
export function podCgroupPath(style: CgroupStyle, qos: Qos, uid: string): string {
  if (style === 'cgroupfs') return join('kubepods', qos === 'guaranteed' ? '' : qos, `pod${uid}`);
  const unit = uid.replaceAll('-', '_');
  return qos === 'guaranteed'
    ? `kubepods.slice/kubepods-pod${unit}.slice`
    : `kubepods.slice/kubepods-${qos}.slice/kubepods-${qos}-pod${unit}.slice`;
}

/** The directory name of a container below its pod, as containerd names it for the cgroup driver. */
export function containerCgroupName(style: CgroupStyle, id: string): string {
  return style === 'cgroupfs' ? id : `cri-containerd-${id}.scope`;
}

/**
 * Makes the cgroup of a pod and returns its absolute path. A `kubepods` that we did not make is left alone:
 * the pod then goes below a parent of our own. `stateDirectory` remembers what we made.
 */
export function makePodCgroup(path: string, stateDirectory: string): string {
  const root = cgroupRoot();
  const top = path.slice(0, path.indexOf('/'));
  const record = join(stateDirectory, top);
  try {
    mkdirSync(join(root, top));
    writeFileSync(record, inode(join(root, top)) ?? '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const cgroup = isRecorded(join(root, top), record) ? join(root, path) : join(root, ownParent, path);
  mkdirSync(cgroup, { recursive: true });
  const names = relative(root, cgroup).split(sep);
  for (let depth = 0; depth <= names.length; depth++) enableControllers(join(root, ...names.slice(0, depth)));
  return cgroup;
}

/** Has the children of a cgroup accounted and limited as kubelet does, as far as this hierarchy lets us. */
function enableControllers(cgroup: string): void {
  const present = readFileSync(join(cgroup, 'cgroup.controllers'), 'utf8').trim().split(' ');
  for (const controller of controllers.filter((name) => present.includes(name)))
    try {
      writeFileSync(join(cgroup, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      // In a container the root has processes, and then its children have none of these.
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    }
}

/**
 * Kills every process in a pod cgroup, removes it with all below it, and then every parent that is empty and
 * ours: a parent directly below the root goes only when `stateDirectory` says that we made it.
 */
export async function removePodCgroup(cgroup: string, stateDirectory: string): Promise<void> {
  if (!exists(cgroup)) return;
  await removeCgroup(cgroup);
  const root = cgroupRoot();
  for (let parent = dirname(cgroup); parent !== root; parent = dirname(parent)) {
    const record = join(stateDirectory, basename(parent));
    const atTop = dirname(parent) === root;
    if (atTop && basename(parent) !== ownParent && !isRecorded(parent, record)) return;
    if (!tryRemove(() => rmdirSync(parent))) return;
    if (atTop) rmSync(record, { force: true });
  }
}

/** Kills every process in a cgroup, of whichever version, and removes it with all below it; one that is gone is fine. */
export async function removeCgroup(cgroup: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (
    !tryRemove(() => {
      killTree(cgroup);
      removeTree(cgroup);
    })
  ) {
    if (Date.now() > deadline) throw new Error(`processes in ${cgroup} do not end although they were killed`);
    await delay(2);
  }
}

function killTree(cgroup: string): void {
  if (exists(join(cgroup, 'cgroup.kill'))) writeFileSync(join(cgroup, 'cgroup.kill'), '1');
  // Before Linux 5.14 one by one, which lets others begin: whoever removes the cgroup tries until there is none.
  else {
    for (const child of childrenOf(cgroup)) killTree(child);
    for (const pid of readIfThere(join(cgroup, 'cgroup.procs'))?.match(/\d+/g) ?? [])
      killIfThere(Number(pid));
  }
}

function removeTree(cgroup: string): void {
  for (const child of childrenOf(cgroup)) removeTree(child);
  rmdirSync(cgroup);
}

function childrenOf(cgroup: string): string[] {
  const entries = readdirSync(cgroup, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(cgroup, entry.name));
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** False while a cgroup is in use; a cgroup that is gone already counts as removed. */
function tryRemove(remove: () => void): boolean {
  try {
    remove();
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
}

function isRecorded(cgroup: string, record: string): boolean {
  const recorded = readIfThere(record);
  return recorded !== undefined && recorded === inode(cgroup);
}

/** A cgroup's inode number is its id: never given to another cgroup until the next boot. */
function inode(path: string): string | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino.toString();
}
