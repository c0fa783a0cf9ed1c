import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';
import { type Say, seconds } from '../say.ts';
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
export async function startNode(say: Say): Promise<void> {
  const reason = whyNoNode();
  if (reason !== undefined) throw new Error(reason);
  if (isThere())
    throw new Error('there is a cluster already, or a part of one: npm run cluster:down removes it');
  mkdirSync(directory, { mode: 0o755 });
  writeFileSync(resolvers, '');
  const step = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const result = await act();
    say(`${what} in ${seconds(began)}`);
    return result;
  };
  const users = makeUsers();
  await step('namespaces, cgroup and network of the node: made', enclose);
  await step('etcd, kube-apiserver, kube-controller-manager and kube-scheduler: ready', () =>
    startControlPlane(users, say),
  );
  writeOwnKubeconfig(users.admin);
  await step('containerd: ready', startContainerd);
  await step('images: imported', importImages);
  await step(`kubelet and kube-proxy: ${nodeName} is Ready`, async () => {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfigFile);
    await startKubeProxy(users, say);
    await startKubelet(users, config, say);
  });
}

/** Ends it and removes all of it. What is not there is fine, so that it can be called for half of one. */
export async function removeNode(): Promise<void> {
  await removeEnclosure();
  rmSync(directory, { recursive: true, force: true });
}
