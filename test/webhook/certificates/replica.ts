import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createLog, type Log } from '../../../sidecar/contract/log.ts';
import { AuthoritySource } from '../../../webhook/certificates/authority-source.ts';
import type { Clock } from '../../../webhook/certificates/clock.ts';
import { type Keeper, keepCertificate } from '../../../webhook/certificates/keeper.ts';
import type { Schedule } from '../../../webhook/certificates/schedule.ts';
import type { Source } from '../../../webhook/certificates/source.ts';
import { createMetrics, type Metrics } from '../../../webhook/metrics.ts';
import type { Raw } from '../fixtures.ts';
import type { MemoryBundles, MemorySecret } from './memory-stores.ts';

export const serverName = 'bpf-sidecar.bpf-sidecar.svc';

/** A replica of the webhook, as far as its certificate goes: a real HTTPS server and what keeps its certificate. */
export interface Replica {
  server: Server;
  port: number;
  keeper: Keeper;
  metrics: Metrics;
  lines: Raw[];
  stop(): void;
}

export async function startReplica(clock: Clock, source: Source): Promise<Replica> {
  const metrics = createMetrics();
  const lines: Raw[] = [];
  const log: Log = createLog((line) => lines.push(JSON.parse(line)));
  const server = createServer({ keepAliveTimeout: 0 }, (_, response) => response.end('ok')).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const keeper = keepCertificate({ server, source, clock, metrics, log });
  return {
    server,
    port: (server.address() as AddressInfo).port,
    keeper,
    metrics,
    lines,
    stop() {
      keeper.stop();
      server.close();
      server.closeAllConnections();
    },
  };
}

export function authoritySource(
  clock: Clock,
  schedule: Schedule,
  secret: MemorySecret,
  bundles: readonly MemoryBundles[],
): AuthoritySource {
  return new AuthoritySource({ secret, bundles, names: [serverName], schedule, clock });
}

/** The value of a metric of a replica. */
export async function metricValue(
  metric: { get(): Promise<{ values: { value: number; labels: object }[] }> },
  labels: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  const { values } = await metric.get();
  return values.find((value) =>
    Object.entries(labels).every(([name, text]) => (value.labels as Record<string, unknown>)[name] === text),
  )?.value;
}
