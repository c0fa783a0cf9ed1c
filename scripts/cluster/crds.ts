import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { create } from './call.ts';
import { go, requireGo } from './go.ts';

/** Creates the CRDs of ServiceMonitor, PodMonitor and PrometheusRule, as the Prometheus Operator publishes them. */
export async function createMonitorCrds(config: KubeConfig): Promise<void> {
  await requireGo();
  const { Dir } = JSON.parse(await go(['mod', 'download', '-json'], { folder: 'prometheus-operator' }));
  for (const plural of ['servicemonitors', 'podmonitors', 'prometheusrules']) {
    const file = join(Dir, 'example/prometheus-operator-crd', `monitoring.coreos.com_${plural}.yaml`);
    const crd = parse(readFileSync(file, 'utf8'));
    await create(config, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
  }
}
