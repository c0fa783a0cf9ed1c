import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Access, accessTo, administrator, kubeconfigOf, type User } from '../api-server.ts';
import { apiServerPort, directory, kubeconfigFile, nodeAddress, nodeName } from './place.ts';

/** With what the API server comes to kubelet: it vouches for itself. */
export const kubeletClient = {
  certificate: join(directory, 'kubelet-client.crt'),
  key: join(directory, 'kubelet-client.key'),
};

/** Who comes to the API server, with the rights that Kubernetes gives to these names. */
export function makeUsers() {
  const user = (name: string, ...groups: string[]): User => ({ token: token(), name, groups });
  return {
    admin: administrator(token()),
    'kube-controller-manager': user('system:kube-controller-manager'),
    'kube-scheduler': user('system:kube-scheduler'),
    'kube-proxy': user('system:kube-proxy'),
    kubelet: user(`system:node:${nodeName}`, 'system:nodes'),
  };
}

export type Users = ReturnType<typeof makeUsers>;

function token(): string {
  return randomBytes(16).toString('hex');
}

export function makeKubeletClient(): void {
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '365'],
      ...['-subj', '/O=system:masters/CN=kube-apiserver', '-addext', 'extendedKeyUsage=clientAuth'],
      ...['-keyout', kubeletClient.key, '-out', kubeletClient.certificate],
    ],
    { stdio: 'pipe' },
  );
  chmodSync(kubeletClient.key, 0o600);
}

export function accessOf({ token }: User): Access {
  return accessTo(directory, { host: nodeAddress, port: apiServerPort, token });
}

/** Writes the kubeconfig of a part of the cluster; returns its path. */
export function writeKubeconfig(name: string, user: User): string {
  const file = join(directory, `${name}.kubeconfig`);
  writeFileSync(file, kubeconfigOf(accessOf(user)), { mode: 0o600 });
  return file;
}

/** The administrator's, for whoever has called us by sudo. */
export function writeOwnKubeconfig(user: User): void {
  writeFileSync(kubeconfigFile, kubeconfigOf(accessOf(user)), { mode: 0o600 });
  const { SUDO_UID, SUDO_GID } = process.env;
  if (SUDO_UID && SUDO_GID) chownSync(kubeconfigFile, Number(SUDO_UID), Number(SUDO_GID));
}
