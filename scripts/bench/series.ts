import type { Metric } from '../../sidecar/contract/metric-spec.ts';
import { parseMetricSpec } from '../../sidecar/contract/metric-spec-yaml.ts';
import { openMetricsFormat } from '../../sidecar/exposition/openmetrics.ts';
import { textFormat } from '../../sidecar/exposition/text.ts';
import type { MapEntries } from '../../sidecar/maps/entries.ts';
import { createFamilyReader } from '../../sidecar/series/family-reader.ts';
import { note } from '../progress.ts';
import type { Row } from './row.ts';

const seriesCount = 10_000;
const rounds = 50;
const keySize = 16;
const constantLabels = 'namespace="default",pod="web-5d4f8c7b9-x2x7k",node="worker-1"';

const labels = `
      labels:
        - { name: container, size: 8, decoders: [{ name: cgroup }] }
        - { name: syscall, size: 4, padding: 4, decoders: [{ name: uint }, { name: syscall }] }`;
const spec = `
metrics:
  counters:
    - name: syscalls_total
      help: System calls that returned, by system call.
      map: syscalls
      value: calls${labels}
  histograms:
    - name: syscall_duration_seconds
      help: Time from entry to return.
      map: syscalls
      value: duration
      bucket_type: exp2
      bucket_max: 9
      bucket_multiplier: 1e-6${labels}
`;

/** Reading 10,000 entries from buffers into series, and writing them: the medians of 50 rounds. */
export async function benchSeries(): Promise<Row[]> {
  const [counter, histogram] = parseMetricSpec(spec, 'bench').metrics;
  return [
    ...benchMetric(`${seriesCount} counters`, counter!, 8, { calls: { offset: 0, size: 8 } }),
    ...benchMetric(`${seriesCount} histograms of 13 samples`, histogram!, 96, {
      duration: { offset: 0, size: 96 },
    }),
  ];
}

function benchMetric(
  name: string,
  metric: Metric,
  valueSize: number,
  members: Record<string, { offset: number; size: number }>,
): Row[] {
  const entries = syntheticEntries(valueSize);
  const create = () =>
    createFamilyReader(
      metric,
      { keySize, valueSize, created: Date.now() / 1000, member: (member) => members[member] },
      {
        containerName: (id) => `container-${id}`,
        wantsContainer: () => true,
        generation: () => 0,
      },
    );
  const reader = create();
  const family = reader.read(entries);
  const row = (what: string, run: () => void): Row => {
    note(`${name}: ${what}`);
    return { what: `${name}: ${what}`, value: `${median(run).toFixed(2)} ms` };
  };
  return [
    row('first read', () => create().read(entries)),
    row('read', () => reader.read(entries)),
    row('text', () => textFormat.render([family], constantLabels)),
    row('OpenMetrics', () => openMetricsFormat.render([family], constantLabels)),
  ];
}

function syntheticEntries(valueSize: number): MapEntries {
  const keys = Buffer.alloc(seriesCount * keySize);
  const values = Buffer.alloc(seriesCount * valueSize);
  for (let index = 0; index < seriesCount; index++) {
    keys.writeBigUInt64LE(BigInt(1000 + Math.floor(index / 400)), index * keySize);
    keys.writeUInt32LE(index % 400, index * keySize + 8);
    for (let offset = 0; offset < valueSize; offset += 8)
      values.writeBigUInt64LE(BigInt(index * 1_000_003 + offset), index * valueSize + offset);
  }
  return { count: seriesCount, keys, values, keySize, valueSize, copies: 1 };
}

/** Milliseconds. */
function median(run: () => void): number {
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[rounds >> 1]!;
}
