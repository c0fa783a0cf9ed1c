import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { create } from './call.ts';
import { go, requireGo } from './go.ts';

/** The CRDs of ServiceMonitor, PodMonitor and PrometheusRule, as the Prometheus Operator publishes them. */
export async function monitorCrds(): Promise<Crd[]> {
  await requireGo();
  const { Dir } = JSON.parse(await go(['mod', 'download', '-json'], { folder: 'prometheus-operator' }));
  return ['servicemonitors', 'podmonitors', 'prometheusrules'].map((plural) =>
    parse(
      readFileSync(
        join(Dir, 'example/prometheus-operator-crd', `monitoring.coreos.com_${plural}.yaml`),
        'utf8',
      ),
    ),
  );
}

/** Creates them. */
export async function createMonitorCrds(config: KubeConfig): Promise<void> {
  for (const crd of await monitorCrds())
    await create(config, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
}

interface Crd {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
}
