import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cgroupRoot, removeCgroup } from '../../node/cgroups.ts';
import { failure, watch } from '../../node/child.ts';
import { exists } from '../../node/files.ts';
import { mounts } from '../../node/mounts.ts';
import { ip, ipBy } from '../../node/network.ts';
import { cgroupName, directory, hostAddress, hostLink, linkPrefix, nodeAddress, podRange } from './place.ts';

/**
 * What the node lives in: a mount and a network namespace, which one process holds, and a cgroup, in which every process
 * of the cluster is from its first instruction. Who kills those in the cgroup has ended the cluster, and the kernel
 * takes back mounts, pins and network by itself.
 */

/** Cgroups below the cluster's in the v2 hierarchy; kubelet makes those of the pods beside them. */
const holder = () => join(cgroupRoot(), cgroupName, 'holder');
const daemons = () => join(cgroupRoot(), cgroupName, 'daemons');

const intoCgroup = ['sh', '-c', 'echo 0 > "$0/cgroup.procs" && exec "$@"'];
const into = ['sh', '-c', 'echo 0 > "$0/cgroup.procs" && cd "$1" && shift && exec "$@"'];

/** Whether there is any of it. */
export function isThere(): boolean {
  return exists(directory) || cgroups().some(exists);
}

/** Makes it, and its link to the host. */
export async function enclose(): Promise<void> {
  for (const cgroup of cgroups()) makeCgroup(cgroup);
  mkdirSync(holder());
  mkdirSync(daemons());
  const script = join(import.meta.dirname, 'enclosure.sh');
  const [program, ...argv] = [
    ...intoCgroup,
    holder(),
    ...['unshare', '--mount', '--net', '--propagation', 'slave'],
    ...['sh', script, directory],
  ];
  const child = spawn(program!, argv, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let made: () => void;
  const isMade = new Promise<void>((resolve) => {
    made = resolve;
  });
  const watched = watch(child, (line) => line === 'made' && made());
  if ((await Promise.race([isMade, watched.ended])) !== undefined)
    throw new Error(failure('the set-up of the namespaces', watched));
  child.unref();
  child.stdout.destroy();
  child.stderr.destroy();

  ip(
    `link add ${hostLink} type veth peer name eth0 netns ${holderPid()}`,
    `link set ${hostLink} addrgenmode none`,
    `address add ${hostAddress}/${linkPrefix} dev ${hostLink}`,
    `link set ${hostLink} up`,
    `route add ${podRange} via ${nodeAddress}`,
  );
  ipBy(
    ['nsenter', '--target', holderPid(), '--net', 'ip'],
    'link set eth0 addrgenmode none',
    `address add ${nodeAddress}/${linkPrefix} dev eth0`,
    'link set eth0 up',
    `route add default via ${hostAddress}`,
  );
}

/** The command that becomes argv in it, with a working directory. */
export function enclosed(workingDirectory: string, argv: readonly string[]): string[] {
  return [
    ...['nsenter', '--target', holderPid(), '--mount', '--net'],
    ...[...into, daemons(), workingDirectory],
    ...argv,
  ];
}

/** Runs argv in it to its end; resolves to its output. */
export async function runEnclosed(...argv: string[]): Promise<string> {
  const [program, ...rest] = enclosed(directory, argv);
  try {
    return (await promisify(execFile)(program!, rest)).stdout;
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    throw new Error(`${argv[0]} failed: ${stderr.trim().slice(-500) || message}`);
  }
}

/** Ends all processes in it, and removes all of it but the files. What is not there is fine. */
export async function removeEnclosure(): Promise<void> {
  // The link goes first: with its namespace it would go only some time later.
  if (exists(`/sys/class/net/${hostLink}`)) ip(`link delete ${hostLink}`);
  for (const cgroup of cgroups()) await removeCgroup(cgroup);
}

/** The cgroup of a container in every hierarchy, v2 first, by its id as the runtime has it: `containerd://…`. */
export function cgroupsOf(containerId: string): string[] {
  const [, id] = containerId.split('//');
  return cgroups().flatMap((root) =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith(`/${id}`))
      .map((path) => join(root, path)),
  );
}

/** Its cgroup in every hierarchy, v2 first: that one has all processes. */
function cgroups(): string[] {
  const hierarchies = mounts().filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  const targets = new Set([cgroupRoot(), ...hierarchies.map(({ target }) => target)]);
  return [...targets].map((target) => join(target, cgroupName));
}

/** The root of kubelet's cgroups, which it does not make. */
function makeCgroup(cgroup: string): void {
  mkdirSync(cgroup);
  // In v1 nothing can run in a new cpuset before it has these.
  for (const name of ['cpuset.cpus', 'cpuset.mems'])
    if (exists(join(cgroup, name)) && !exists(join(cgroup, 'cgroup.controllers')))
      writeFileSync(join(cgroup, name), readFileSync(join(cgroup, '..', name)));
}

function holderPid(): string {
  return readFileSync(join(holder(), 'cgroup.procs'), 'utf8').trim();
}
