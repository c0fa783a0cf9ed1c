import { join } from 'node:path';

/**
 * Where the cluster of this machine is: one at a time, under names that never change, so that whoever removes it needs
 * to know nothing else.
 */

/** All its files. On a disk, since images are unpacked there, and nobody but root can make one. */
export const directory = '/var/cache/bpf-sidecar-cluster';

export const kubeconfigFile = join(directory, 'kubeconfig');

/** What the resolv.conf of pods is made of. */
export const resolvers = join(directory, 'resolv.conf');

/** The name of its cgroup, at the top of every hierarchy. */
export const cgroupName = 'bpf-sidecar-cluster';

export const nodeName = 'node-1';

/** The host's end of the link to it. */
export const hostLink = 'bpf-cluster0';

/** The last addresses of 198.18.0.0/15, which RFC 2544 sets aside for tests on one's own machines. */
export const hostAddress = '198.19.255.249';
export const nodeAddress = '198.19.255.250';
export const linkPrefix = 30;
export const podRange = '198.19.254.0/24';

export const apiServerPort = 6443;

/** As seen by who is in its mount namespace, where /run is its own. */
export const containerdSocket = '/run/containerd/containerd.sock';
