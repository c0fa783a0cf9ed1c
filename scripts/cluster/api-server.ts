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

/** What tells a cluster of ours from another in a kubeconfig. */
export const clusterName = 'bpf-sidecar-on-this-machine';

const host = '127.0.0.1';
const period = 50;

/** Starts kube-apiserver with the defaults of its admission plugins, and RBAC. */
export function startApiServer(
  binary: string,
  directory: string,
  { etcd, port, token }: { etcd: string; port: number; token: string },
): Child & Access {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const secret = (name: string, text: string | Buffer) =>
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  secret('service-accounts.key', key.export({ type: 'sec1', format: 'pem' }));
  secret('tokens.csv', `${token},admin,admin,system:masters\n`);

  const child = spawnBound(binary, directory, {
    'etcd-servers': etcd,
    'bind-address': host,
    'advertise-address': host,
    'secure-port': port,
    'cert-dir': '.',
    'token-auth-file': 'tokens.csv',
    'authorization-mode': 'RBAC',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-signing-key-file': 'service-accounts.key',
    'service-account-key-file': 'service-accounts.key',
    'service-cluster-ip-range': '10.96.0.0/16',
    'allow-privileged': true,
    // A loopback address cannot be an endpoint of the Service "kubernetes".
    'endpoint-reconciler-type': 'none',
  });
  return {
    ...watch(child),
    url: `https://${host}:${port}`,
    token,
    certificates: join(directory, 'apiserver.crt'),
  };
}

/** Resolves when the API server says that it is ready. */
export async function untilReady(access: Access, signal: AbortSignal): Promise<void> {
  while (!(await isReady(access))) await setTimeout(period, undefined, { signal });
}

function isReady({ url, token, certificates }: Access): Promise<boolean> {
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
