import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CgroupStyle,
  cgroupRoot,
  containerCgroupName,
  makePodCgroup,
  podCgroupPath,
  type Qos,
  removePodCgroup,
} from './cgroups.ts';
import { abandoned, type Claim, claim, release, stateDirectory } from './claims.ts';
import { readIfThere } from './files.ts';
import { mounts } from './mounts.ts';
import { makeNetwork, type Network, namespaceFile, networkOf, removeNetwork } from './network.ts';

export interface SandboxOptions {
  namespace?: string;
  pod?: string;
  uid?: string;
  node?: string;
  /** How cgroups are named: by kubelet's cgroupfs driver (the default) or its systemd driver. */
  style?: CgroupStyle;
  /** `burstable` by default. */
  qos?: Qos;
  /** Gives the pod a network namespace and an address; without it the pod is on the host's network. */
  network?: boolean;
}

/** What a node gives to a pod: its cgroup, its network and the place of its logs. */
export interface Sandbox {
  namespace: string;
  pod: string;
  uid: string;
  node: string;
  /** Absolute path of the pod cgroup. */
  cgroup: string;
  /** A directory with `<pod>_<namespace>_<container>-<id>.log` links, as in kubelet's /var/log/containers. */
  containerLogs: string;
  /** A directory for the pod's volumes. */
  volumes: string;
  /** The pod's IPv4 address, reachable from the host. */
  address?: string;
  addContainer(name: string): Container;
  /** Kills every process of the pod and removes all that was made for it; can be called again. */
  destroy(): Promise<void>;
}

export interface Container {
  name: string;
  /** 64 hex digits. */
  id: string;
  /** Absolute path of the container cgroup. */
  cgroup: string;
  /**
   * Runs argv in the container's cgroup and the pod's network namespace: it is there before its first
   * instruction. It inherits PATH and nothing else from our environment, and ends when we do.
   */
  spawn(argv: string[], options?: SpawnOptions): ChildProcess;
}

export interface SpawnOptions {
  env?: Record<string, string>;
  /**
   * Gives the process the root of a privileged container, with these mounts: /proc, /sys and /dev whole, and
   * the host's other files, of which it can change only a copy.
   */
  mounts?: Mount[];
  stdio?: StdioOptions;
  /** A cgroup namespace of its own, as containerd gives to unprivileged containers. */
  cgroupNamespace?: boolean;
}

export interface Mount {
  source: string;
  target: string;
  readOnly?: boolean;
}

/** Makes a pod-shaped sandbox on this machine; needs root. Leftovers of owners that died are removed first. */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  await sweep();
  const claimed = claim();
  try {
    return build(claimed, options);
  } catch (error) {
    await remove(claimed);
    throw error;
  }
}

/** Removes every sandbox whose owner no longer runs. */
export async function sweep(): Promise<void> {
  for (const claim of abandoned()) await remove(claim);
}

function build(claimed: Claim, options: SandboxOptions): Sandbox {
  const { namespace = 'default', uid = randomUUID(), node = 'sandbox', style = 'cgroupfs' } = options;
  const pod = options.pod ?? `sandbox-${claimed.slot}`;

  const cgroup = makePodCgroup(podCgroupPath(style, options.qos ?? 'burstable', uid), stateDirectory);
  writeFileSync(join(claimed.directory, 'cgroup'), cgroup);
  const addCgroup = () => {
    const id = randomBytes(32).toString('hex');
    const path = join(cgroup, containerCgroupName(style, id));
    mkdirSync(path);
    return { id, cgroup: path };
  };
  // Every pod has one more container, which holds its namespaces: the pause container.
  addCgroup();

  const network = networkOf(claimed.slot);
  if (options.network) makeNetwork(network);
  const containerLogs = join(claimed.directory, 'log', 'containers');
  const volumes = join(claimed.directory, 'volumes');
  const root = join(claimed.directory, 'root');
  for (const directory of [containerLogs, volumes, root]) mkdirSync(directory, { recursive: true });

  let destroyed: Promise<void> | undefined;
  return {
    namespace,
    pod,
    uid,
    node,
    cgroup,
    containerLogs,
    volumes,
    ...(options.network && { address: network.podAddress }),
    addContainer(name) {
      const container = { name, ...addCgroup() };
      // As on a node, where the link leads out of what the sidecar can see.
      symlinkSync(
        `/var/log/pods/${namespace}_${pod}_${uid}/${name}/0.log`,
        join(containerLogs, `${pod}_${namespace}_${name}-${container.id}.log`),
      );
      const place = { cgroup: container.cgroup, root, ...(options.network && { network }) };
      return { ...container, spawn: (argv, spawnOptions = {}) => enter(place, argv, spawnOptions) };
    },
    destroy() {
      destroyed ??= remove(claimed);
      return destroyed;
    },
  };
}

async function remove(claimed: Claim): Promise<void> {
  const cgroup = readIfThere(join(claimed.directory, 'cgroup'));
  if (cgroup !== undefined) await removePodCgroup(cgroup, stateDirectory);
  removeNetwork(networkOf(claimed.slot));
  release(claimed);
}

interface Place {
  cgroup: string;
  network?: Network;
  /** An empty directory, below which a container may build its root unseen. */
  root: string;
}

/** Each command does one thing to itself and becomes the next: the last one is argv, with the pid of the first. */
function enter(place: Place, argv: string[], options: SpawnOptions): ChildProcess {
  const command = [
    ...['setpriv', '--pdeathsig', 'TERM'],
    ...['sh', '-c', 'echo 0 > "$0/cgroup.procs" && exec "$@"', place.cgroup],
    ...(place.network ? ['nsenter', `--net=${namespaceFile(place.network)}`] : []),
    ...(options.cgroupNamespace ? ['unshare', '--cgroup'] : []),
    ...(options.mounts ? ['unshare', '--mount', ...inOwnRoot(place.root, options.mounts)] : []),
    ...argv,
  ];
  return spawn(command[0]!, command.slice(1), {
    env: { PATH: process.env.PATH, ...options.env },
    stdio: options.stdio ?? 'pipe',
    // A session of its own: Ctrl-C in our terminal is for us.
    detached: true,
  });
}

function inOwnRoot(directory: string, wanted: Mount[]): string[] {
  const table = [...hostMounts().map((path) => ({ source: path, target: path })), ...wanted].map(
    ({ source, target, readOnly = false }: Mount) => [source, target, readOnly ? 'ro' : 'rw'].join('\t'),
  );
  const script = join(import.meta.dirname, 'root.sh');
  return ['sh', script, directory, cgroupRoot(), table.join('\n')];
}

/**
 * What an overlay of / does not show: the file systems mounted below it, but not those below them again.
 * Left out is what a container has of its own, and /var/lib, where engines keep the roots of containers.
 */
function hostMounts(): string[] {
  const below = (parent: string, path: string) => path.startsWith(`${parent}/`);
  const leftOut = ['/proc', '/sys', '/dev', '/run', '/var/lib'];
  const paths = mounts()
    .map((mount) => mount.target)
    .filter((path) => path !== '/' && !leftOut.some((top) => below(top, `${path}/`)));
  return [...new Set(paths)].filter((path) => !paths.some((parent) => below(parent, path)));
}
