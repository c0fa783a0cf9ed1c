import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';
import { step } from '../../progress.ts';
import { startContainerd } from './containerd.ts';
import { startControlPlane } from './control-plane.ts';
import { makeUsers, writeOwnKubeconfig } from './credentials.ts';
import { enclose, isThere, removeEnclosure } from './enclosure.ts';
import { importImages } from './images.ts';
import { startKubeProxy } from './kube-proxy.ts';
import { startKubelet } from './kubelet.ts';
import { whyNoNode } from './missing.ts';
import { directory, kubeconfigFile, nodeName, resolvers } from './place.ts';

/** Starts a cluster with one node on this machine, which goes on when we have ended. */
export async function startNode(): Promise<void> {
  const reason = whyNoNode();
  if (reason !== undefined) throw new Error(reason);
  if (isThere())
    throw new Error('there is a cluster already, or a part of one: npm run cluster:down removes it');
  mkdirSync(directory, { mode: 0o755 });
  writeFileSync(resolvers, '');
  const users = makeUsers();
  await step('namespaces, cgroup and network of the node', enclose, { done: 'made' });
  await step(
    'etcd, kube-apiserver, kube-controller-manager and kube-scheduler',
    () => startControlPlane(users),
    { done: 'ready' },
  );
  writeOwnKubeconfig(users.admin);
  await step('containerd', startContainerd, { done: 'ready' });
  await step('images', importImages, { done: 'imported' });
  const startKubeletAndProxy = async () => {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfigFile);
    await startKubeProxy(users);
    await startKubelet(users, config);
  };
  await step('kubelet and kube-proxy', startKubeletAndProxy, { done: `${nodeName} is Ready` });
}

/** Ends it and removes all of it. What is not there is fine, so that it can be called for half of one. */
export async function removeNode(): Promise<void> {
  await removeEnclosure();
  rmSync(directory, { recursive: true, force: true });
}
