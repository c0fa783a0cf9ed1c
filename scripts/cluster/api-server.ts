import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { stringify } from 'yaml';
import { type Child, watch } from '../node/child.ts';
import { spawnBound } from './spawn.ts';

/** How to reach an API server as its administrator. */
export interface Access {
  url: string;
  token: string;
  /** Path of the certificates that vouch for it, which it makes for itself at its start. */
  certificates: string;
}

/** Who may come with which token. */
export interface User {
  token: string;
  name: string;
  groups: readonly string[];
}

export interface ApiServerOptions {
  /** URL of etcd. */
  etcd: string;
  /** The address that it listens on, and tells others. */
  host: string;
  port: number;
  users: readonly User[];
}

/** Of an API server's directory, what others need too. */
export const serviceAccountsKey = 'service-accounts.key';
export const serverCertificate = 'apiserver.crt';

/** The addresses of Services. */
export const serviceRange = '10.96.0.0/16';

/** What tells a cluster of ours from another in a kubeconfig. */
export const clusterName = 'bpf-sidecar-on-this-machine';

const host = '127.0.0.1';
const period = 50;

/** Starts kube-apiserver on loopback with the defaults of its admission plugins, and RBAC. */
export function startApiServer(
  binary: string,
  directory: string,
  { etcd, port, token }: { etcd: string; port: number; token: string },
): Child & Access {
  const child = spawnBound(binary, directory, {
    ...apiServerFlags(directory, { etcd, host, port, users: [administrator(token)] }),
    // A loopback address cannot be an endpoint of the Service "kubernetes".
    'endpoint-reconciler-type': 'none',
  });
  return { ...watch(child), ...accessTo(directory, { host, port, token }) };
}

export function administrator(token: string): User {
  return { token, name: 'admin', groups: ['system:masters'] };
}

/** How kube-apiserver is started in its directory, which then has the secrets that it needs. */
export function apiServerFlags(
  directory: string,
  { etcd, host, port, users }: ApiServerOptions,
): Record<string, string | number | boolean> {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const secret = (name: string, text: string | Buffer) =>
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  secret(serviceAccountsKey, key.export({ type: 'sec1', format: 'pem' }));
  const lines = users.map(({ token, name, groups }) => `${token},${name},${name},"${groups.join(',')}"\n`);
  secret('tokens.csv', lines.join(''));
  return {
    'etcd-servers': etcd,
    'bind-address': host,
    'advertise-address': host,
    'secure-port': port,
    'cert-dir': '.',
    'token-auth-file': 'tokens.csv',
    'authorization-mode': 'RBAC',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-signing-key-file': serviceAccountsKey,
    'service-account-key-file': serviceAccountsKey,
    'service-cluster-ip-range': serviceRange,
    'allow-privileged': true,
  };
}

/** How to reach the API server of a directory. */
export function accessTo(
  directory: string,
  { host, port, token }: { host: string; port: number; token: string },
): Access {
  return { url: `https://${host}:${port}`, token, certificates: join(directory, serverCertificate) };
}

/** Resolves when the API server says that it is ready. */
export async function untilReady(access: Access, signal: AbortSignal): Promise<void> {
  while (!(await isReady(access))) await setTimeout(period, undefined, { signal });
}

/** Whether it says so. */
export function isReady({ url, token, certificates }: Access): Promise<boolean> {
  if (!existsSync(certificates)) return Promise.resolve(false);
  const options = {
    ca: readFileSync(certificates),
    headers: { authorization: `Bearer ${token}` },
    agent: false,
  };
  return new Promise((resolve) => {
    request(`${url}/readyz`, options, (response) => resolve(response.resume().statusCode === 200))
      .on('error', () => resolve(false))
      .end();
  });
}

/** A kubeconfig with all in it: it works wherever it is copied to on this machine. */
export function kubeconfigOf({ url, token, certificates }: Access): string {
  const data = readFileSync(certificates).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: clusterName, cluster: { server: url, 'certificate-authority-data': data } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: clusterName, context: { cluster: clusterName, user: 'admin' } }],
    'current-context': clusterName,
  });
}
