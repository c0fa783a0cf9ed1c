import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { step } from '../progress.ts';
import { create } from './call.ts';
import { go, requireGo } from './go.ts';

/** The CRDs of ServiceMonitor, PodMonitor and PrometheusRule, as the Prometheus Operator publishes them. */
export async function monitorCrds(): Promise<Crd[]> {
  const directory = await operatorSource();
  return ['servicemonitors', 'podmonitors', 'prometheusrules'].map((plural) =>
    parse(
      readFileSync(
        join(directory, 'example/prometheus-operator-crd', `monitoring.coreos.com_${plural}.yaml`),
        'utf8',
      ),
    ),
  );
}

/** The folder of the Prometheus Operator's module. */
export async function operatorSource(): Promise<string> {
  await requireGo();
  const module = 'github.com/prometheus-operator/prometheus-operator';
  const options = { folder: 'prometheus-operator' };
  return JSON.parse(await go(['mod', 'download', '-json', module], options)).Dir;
}

/** Creates them. */
export async function createMonitorCrds(config: KubeConfig): Promise<void> {
  const createAll = async () => {
    for (const crd of await monitorCrds())
      await create(config, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
  };
  await step('CRDs of the Prometheus Operator', createAll, { done: 'created' });
}

interface Crd {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
}
