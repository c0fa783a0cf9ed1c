import { join } from 'node:path';
import { type Child, watch } from '../node/child.ts';
import { spawnBound } from './spawn.ts';

// etcd 3.4 wants a host and a port, which name the socket then, relative to its working directory.
const [client, peer] = ['unix://client:1', 'unix://peer:1'];

/** Starts etcd for nothing but this cluster: it is reached through a socket in its directory. */
export function startEtcd(directory: string): Child & { url: string } {
  return { ...watch(spawnBound('etcd', directory, etcdFlags)), url: etcdUrl(directory) };
}

/** How etcd is started in its directory. */
export const etcdFlags = {
  'data-dir': 'etcd',
  'unsafe-no-fsync': true,
  'listen-client-urls': client,
  'advertise-client-urls': client,
  'listen-peer-urls': peer,
  'initial-advertise-peer-urls': peer,
  'initial-cluster': `default=${peer}`,
  logger: 'zap',
  'log-level': 'warn',
};

export function etcdUrl(directory: string): string {
  return `unix://${join(directory, 'client:1')}`;
}
