import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { step } from '../../progress.ts';
import { kubernetesTool } from '../tools.ts';
import { kubeconfigFile } from './place.ts';

const chart = join(import.meta.dirname, '../../../charts/bpf-sidecar');

export const release = 'bpf-sidecar';

/** The images that the node has. */
export const values = {
  'image.repository': 'localhost/bpf-sidecar-webhook',
  'sidecar.image.repository': 'localhost/bpf-sidecar',
};

/** Installs the chart, and waits until the webhook's replicas are Ready. */
export async function installChart(): Promise<void> {
  const argv = [
    ...['install', release, chart, '--namespace', release, '--create-namespace'],
    ...['--wait', '--timeout', '3m'],
    ...Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
  ];
  const env = { ...process.env, KUBECONFIG: kubeconfigFile };
  await step(`Helm release ${release}`, () => promisify(execFile)(kubernetesTool('helm'), argv, { env }), {
    done: 'installed, its webhook is Ready',
  });
}
