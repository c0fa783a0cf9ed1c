import type { Registry } from 'prom-client';
import type { LabelSpec } from '../../sidecar/contract/label-spec.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { createOwnMetrics } from '../../sidecar/metrics.ts';
import { builtinProbe } from '../../sidecar/source.ts';
import { createMetrics } from '../../webhook/metrics.ts';
import { createMonitorMetrics } from '../../webhook/monitors/metrics.ts';

/** A family that is told of in the documents. */
export interface DocumentedFamily {
  name: string;
  type: string;
  help: string;
  labels: readonly { name: string; values: readonly string[] }[];
}

/** The families of each built-in probe, as its metric spec has them. */
export const probeFamilies: ReadonlyMap<string, readonly DocumentedFamily[]> = new Map(
  builtinProbes.map((probe) => [
    probe,
    builtinProbe(probe).spec!.metrics.map(({ name, type, help, labels = [] }) => ({
      name,
      type,
      help,
      labels: labels.map((label) => ({ name: label.name, values: valuesOf(label) })),
    })),
  ]),
);

/** Those of the sidecar about itself. */
export const sidecarFamilies: readonly DocumentedFamily[] = await familiesOf(
  createOwnMetrics({
    status: { settled: true, probes: [] },
    read: () => [],
    probes: () => [],
    containers: () => [],
    loadErrors: new Map(),
    podLabels: () => ({}),
    close: async () => {},
  }).registry,
);

/** Those of the webhook. */
export const webhookFamilies: readonly DocumentedFamily[] = await familiesOf(webhookRegistry());

function webhookRegistry(): Registry {
  const { registry } = createMetrics();
  createMonitorMetrics(registry, { waiting: () => 0, apart: () => 0 });
  return registry;
}

/** The values of a label, where it has only a few. */
function valuesOf({ decoders }: LabelSpec): string[] {
  const values = decoders.flatMap((decoder) =>
    decoder.name === 'static_map' && !decoder.allowUnknown ? [...new Set(decoder.staticMap.values())] : [],
  );
  return values.length > 8 ? [] : values;
}

async function familiesOf(registry: Registry): Promise<DocumentedFamily[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name, help, type }) => {
    const { labelNames = [] } = registry.getSingleMetric(name) as unknown as { labelNames?: string[] };
    return {
      name,
      type: String(type),
      help,
      labels: labelNames.map((label) => ({ name: label, values: [] })),
    };
  });
}
