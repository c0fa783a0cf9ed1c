import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { kubernetesBinary } from '../binary.ts';
import { call } from '../call.ts';
import { kubeletClient, type Users, writeKubeconfig } from './credentials.ts';
import { startDaemon } from './daemon.ts';
import { cgroupName, containerdSocket, directory, nodeAddress, nodeName, resolvers } from './place.ts';

/** Starts kubelet; resolves when its node is Ready. */
export async function startKubelet(users: Users, config: KubeConfig): Promise<void> {
  const file = join(directory, 'kubelet.yaml');
  writeFileSync(file, stringify(configuration));
  const kubelet = startDaemon('kubelet', await kubernetesBinary('kubelet'), {
    config: file,
    kubeconfig: writeKubeconfig('kubelet', users.kubelet),
    'root-dir': '/var/lib/kubelet',
    'cert-dir': '/var/lib/kubelet/pki',
    'hostname-override': nodeName,
    'node-ip': nodeAddress,
  });
  await kubelet.until(async () => {
    const { body } = await call(config, 'GET', `/api/v1/nodes/${nodeName}`);
    const conditions: { type: string; status: string }[] = body.status?.conditions ?? [];
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  });
}

const configuration = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: kubeletClient.certificate },
  },
  authorization: { mode: 'Webhook' },
  containerRuntimeEndpoint: `unix://${containerdSocket}`,
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${cgroupName}`,
  // A machine with cgroup v2 beside v1 is one of v1 for kubelet.
  failCgroupV1: false,
  enforceNodeAllocatable: ['none'],
  failSwapOn: false,
  // The machine is not only the cluster's: how full it is is no reason to evict pods.
  evictionHard: { 'imagefs.available': '0%', 'memory.available': '0%', 'nodefs.available': '0%' },
  imageGCHighThresholdPercent: 100,
  oomScoreAdj: 0,
  readOnlyPort: 0,
  resolvConf: resolvers,
  // What a ConfigMap or Secret holds comes to pods in seconds and not minutes.
  syncFrequency: '5s',
  volumePluginDir: '/var/lib/kubelet/plugins-of-volumes',
};
