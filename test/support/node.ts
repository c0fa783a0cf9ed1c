import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { type Answer, call } from '../../scripts/cluster/call.ts';
import { release, values } from '../../scripts/cluster/node/chart.ts';
import { whyNoNode } from '../../scripts/cluster/node/missing.ts';
import { kubeconfigFile } from '../../scripts/cluster/node/place.ts';
import { kubernetesTool } from '../../scripts/cluster/tools.ts';
import { chart } from '../charts/chart.ts';
import type { Raw } from '../webhook/fixtures.ts';

export { release };

/** The `skip` of all tests on the node. */
export const skipped = { skip: whyNoNode() ?? false };

export interface Done {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs helm or kubectl, as the administrator of the cluster, to its end. */
export async function tool(name: 'helm' | 'kubectl', argv: readonly string[], input = ''): Promise<Done> {
  const env = { ...process.env, KUBECONFIG: kubeconfigFile };
  const child = spawn(kubernetesTool(name), argv, { env });
  child.stdin.end(input);
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, stdout, stderr };
}

/** The same where it has to succeed; resolves to what it prints. */
async function toolDone(name: 'helm' | 'kubectl', argv: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await tool(name, argv, input);
  if (code !== 0) throw new Error(`${name} ${argv.join(' ')}: ${stderr}`);
  return stdout;
}

export const kubectl = (...argv: string[]) => toolDone('kubectl', argv);
export const helm = (...argv: string[]) => toolDone('helm', argv);

/** `kubectl apply`; resolves to what it prints, warnings too. */
export async function apply(object: object): Promise<string> {
  const { code, stdout, stderr } = await tool('kubectl', ['apply', '-f', '-'], JSON.stringify(object));
  if (code !== 0) throw new Error(stderr);
  return stdout + stderr;
}

/** Of the webhook's pods. */
export const webhookSelector = `app.kubernetes.io/instance=${release},app.kubernetes.io/name=bpf-sidecar`;

/**
 * Installs the chart, or has the release become what these values say; resolves when the webhook is Ready, and no
 * replica of before is there that could still answer.
 */
export async function install(more: Record<string, string> = {}): Promise<void> {
  const sets = Object.entries({ ...values, ...more }).flatMap(([name, value]) => [
    '--set',
    `${name}=${value}`,
  ]);
  await helm(
    ...['upgrade', '--install', release, chart, '--namespace', release, '--create-namespace'],
    ...['--reset-values', '--wait', '--timeout', '3m', ...sets],
  );
  await onlyReplicas();
}

/** Resolves when the webhook has its two replicas, and none on its way out. */
export async function onlyReplicas(): Promise<void> {
  await inTime(async () => assert.equal((await pods(release, webhookSelector)).length, 2));
}

let loaded: KubeConfig | undefined;

/** A request to the API server. */
export function request(method: string, path: string, body?: object): Promise<Answer> {
  if (loaded === undefined) {
    loaded = new KubeConfig();
    loaded.loadFromFile(kubeconfigFile);
  }
  return call(loaded, method, path, body);
}

/** An object of the cluster. */
export async function get(path: string): Promise<Raw> {
  const { status, body } = await request('GET', path);
  if (status !== 200) throw new Error(`GET ${path}: ${body.message}`);
  return body;
}

const namespaces: string[] = [];
after(async () => {
  if (namespaces.length > 0) await kubectl('delete', '--wait=false', 'namespace', ...namespaces);
});

/** Makes a namespace, which goes with all in it after the tests of the file. */
export async function createNamespace(labels: Record<string, string> = {}): Promise<string> {
  const name = `test-${randomBytes(4).toString('hex')}`;
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  namespaces.push(name);
  return name;
}

const patience = 120_000;
const period = 200;

/** Tries until the check passes, for what a cluster does in its own time; then its last error. */
export async function inTime<T>(check: () => T | Promise<T>, milliseconds = patience): Promise<T> {
  const end = Date.now() + milliseconds;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, period));
    }
  }
}

/** The pods that a selector finds. */
export async function pods(namespace: string, selector: string): Promise<Raw[]> {
  const query = new URLSearchParams({ labelSelector: selector });
  return (await get(`/api/v1/namespaces/${namespace}/pods?${query}`)).items;
}

/** What a pod's sidecar serves, through the API server. */
export async function metrics(namespace: string, pod: string): Promise<string> {
  return kubectl('get', '--raw', `/api/v1/namespaces/${namespace}/pods/${pod}:9387/proxy/metrics`);
}

/** The one sample of a family with these labels, or undefined. */
export function sample(text: string, family: string, labels: Record<string, string>): number | undefined {
  const wanted = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`${family}{`) && wanted.every((label) => line.includes(label)));
  if (lines.length > 1) throw new Error(`several samples: ${lines.join('\n')}`);
  return lines.length === 0 ? undefined : Number(lines[0]!.split(' ').at(-1));
}

/** How often a container of the application has called times(2), as its sidecar tells. */
export async function timesOf(
  namespace: string,
  pod: string,
  container = 'app',
): Promise<number | undefined> {
  return sample(await metrics(namespace, pod), 'bpf_syscalls_total', { container, syscall: 'times' });
}
