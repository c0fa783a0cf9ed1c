import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { failure } from '../node/child.ts';
import { freePort } from '../node/port.ts';
import { step } from '../progress.ts';
import { kubeconfigOf, startApiServer, untilReady } from './api-server.ts';
import { kubernetesBinary } from './binary.ts';
import { temporaryDirectory } from './directory.ts';
import { startEtcd } from './etcd.ts';
import { createNamespace } from './namespace.ts';

/** An API server of this machine with nothing behind it: no controllers, no scheduler, no node. */
export interface Cluster {
  /** Path of an administrator's kubeconfig. */
  kubeconfig: string;
  config: KubeConfig;
  /** Resolves, should it stop to work by itself, with the reason. */
  failed: Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts etcd and kube-apiserver on loopback, with all that they write in a directory of their own. Rejects when
 * `signal` is aborted before it is ready.
 */
export async function startCluster(signal = new AbortController().signal): Promise<Cluster> {
  const binary = await kubernetesBinary('kube-apiserver');
  return step('etcd and kube-apiserver', () => start(binary, signal), { done: 'ready' });
}

async function start(binary: string, signal: AbortSignal): Promise<Cluster> {
  const directory = temporaryDirectory('bpf-sidecar-cluster-');
  const etcd = startEtcd(directory.path);
  const apiServer = startApiServer(binary, directory.path, {
    etcd: etcd.url,
    port: await freePort(),
    token: randomBytes(16).toString('hex'),
  });
  const failed = Promise.race([
    etcd.ended.then(() => failure('etcd', etcd)),
    apiServer.ended.then(() => failure('kube-apiserver', apiServer)),
  ]);
  const stop = async () => {
    // Neither has anything to save that is wanted any more.
    await Promise.all([apiServer.terminate(0), etcd.terminate(0)]);
    await directory.remove();
  };

  const ended = new AbortController();
  try {
    const ready = untilReady(apiServer, AbortSignal.any([signal, ended.signal]));
    const problem = await Promise.race([ready, failed]);
    if (problem !== undefined) throw new Error(problem);
    const kubeconfig = join(directory.path, 'kubeconfig');
    writeFileSync(kubeconfig, kubeconfigOf(apiServer), { mode: 0o600 });
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    await createNamespace(config, 'default');
    return { kubeconfig, config, failed, stop };
  } catch (error) {
    ended.abort();
    await stop();
    throw error;
  }
}
