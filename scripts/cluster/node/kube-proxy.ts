import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { kubernetesBinary } from '../binary.ts';
import { type Users, writeKubeconfig } from './credentials.ts';
import { startDaemon } from './daemon.ts';
import { directory, nodeName, podRange } from './place.ts';

/** Starts kube-proxy, by which pods reach Services, the API server's among them. */
export async function startKubeProxy(users: Users): Promise<void> {
  const file = join(directory, 'kube-proxy.yaml');
  const configuration = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clientConnection: { kubeconfig: writeKubeconfig('kube-proxy', users['kube-proxy']) },
    clusterCIDR: podRange,
    hostnameOverride: nodeName,
    // These are settings of the whole machine: they stay.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
  writeFileSync(file, stringify(configuration));
  startDaemon('kube-proxy', await kubernetesBinary('kube-proxy'), { config: file });
}
