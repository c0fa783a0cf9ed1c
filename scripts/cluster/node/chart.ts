import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kubernetesTool } from '../tools.ts';
import { kubeconfigFile } from './place.ts';

const chart = join(import.meta.dirname, '../../../charts/bpf-sidecar');

export const release = 'bpf-sidecar';

/** Installs the chart with the images that the node has, and waits until the webhook's replicas are Ready. */
export async function installChart(): Promise<void> {
  const values = [
    'image.repository=localhost/bpf-sidecar-webhook',
    'sidecar.image.repository=localhost/bpf-sidecar',
  ];
  await promisify(execFile)(
    kubernetesTool('helm'),
    [
      ...[
        'install',
        release,
        chart,
        '--namespace',
        release,
        '--create-namespace',
        '--wait',
        '--timeout',
        '3m',
      ],
      ...values.flatMap((value) => ['--set', value]),
    ],
    { env: { ...process.env, KUBECONFIG: kubeconfigFile } },
  );
}
