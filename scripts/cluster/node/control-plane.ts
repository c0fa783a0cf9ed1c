import { apiServerFlags, isReady, serverCertificate, serviceAccountsKey } from '../api-server.ts';
import { kubernetesBinary } from '../binary.ts';
import { etcdFlags, etcdUrl } from '../etcd.ts';
import { accessOf, kubeletClient, makeKubeletClient, type Users, writeKubeconfig } from './credentials.ts';
import { startDaemon } from './daemon.ts';
import { apiServerPort, directory, nodeAddress } from './place.ts';

/** Starts etcd, kube-apiserver, kube-controller-manager and kube-scheduler; resolves when the API server is ready. */
export async function startControlPlane(users: Users): Promise<void> {
  startDaemon('etcd', 'etcd', etcdFlags);

  makeKubeletClient();
  const apiServer = startDaemon('kube-apiserver', await kubernetesBinary('kube-apiserver'), {
    ...apiServerFlags(directory, {
      etcd: etcdUrl(directory),
      host: nodeAddress,
      port: apiServerPort,
      users: Object.values(users),
    }),
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'kubelet-client-certificate': kubeletClient.certificate,
    'kubelet-client-key': kubeletClient.key,
    'kubelet-preferred-address-types': 'InternalIP',
    // Webhooks are called at the addresses of their pods, whatever kube-proxy does.
    'enable-aggregator-routing': true,
  });
  await apiServer.until(() => isReady(accessOf(users.admin)));

  const name = 'kube-controller-manager';
  startDaemon(name, await kubernetesBinary(name), {
    kubeconfig: writeKubeconfig(name, users[name]),
    'use-service-account-credentials': true,
    'service-account-private-key-file': serviceAccountsKey,
    'root-ca-file': serverCertificate,
    'bind-address': '127.0.0.1',
    'leader-elect': false,
  });
  startDaemon('kube-scheduler', await kubernetesBinary('kube-scheduler'), {
    kubeconfig: writeKubeconfig('kube-scheduler', users['kube-scheduler']),
    'bind-address': '127.0.0.1',
    'leader-elect': false,
  });
}
