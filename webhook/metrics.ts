import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { isMistake, type SkipReason, skipReasons } from './admission/reasons.ts';

export interface Metrics {
  registry: Registry;
  admissions: Counter<'result' | 'reason'>;
  templates: Counter<'reason'>;
  events: Counter<'result'>;
  duration: Histogram<'path'>;
  droppedConnections: Counter;
  certificateNotAfter: Gauge<'certificate'>;
  certificateRenewals: Counter<'certificate'>;
  certificateFailures: Counter<'reason'>;
}

/** The webhook's metrics about itself. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const admissions = new Counter({
    name: 'bpf_webhook_admissions_total',
    help: 'Admission requests by result (injected, skipped, refused, error) and by the reason for all but the first.',
    labelNames: ['result', 'reason'],
    registers: [registry],
  });
  // From the start, for Prometheus sees no increase in a series that begins with its first pod.
  for (const reason of Object.keys(skipReasons) as SkipReason[])
    for (const result of isMistake(reason) ? ['skipped', 'refused'] : ['skipped'])
      admissions.inc({ result, reason }, 0);
  return {
    registry,
    admissions,
    templates: new Counter({
      name: 'bpf_webhook_templates_total',
      help: 'Workloads whose pod template was looked at, by the reason for a warning; empty for those without.',
      labelNames: ['reason'],
      registers: [registry],
    }),
    events: new Counter({
      name: 'bpf_webhook_events_total',
      help: 'Events by what became of them: written, failed (refused by the API server) or dropped (too many).',
      labelNames: ['result'],
      registers: [registry],
    }),
    duration: new Histogram({
      name: 'bpf_webhook_admission_duration_seconds',
      help: 'Time from the head of an admission request to the end of its answer, by the path that it was sent to.',
      labelNames: ['path'],
      buckets: [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5],
      registers: [registry],
    }),
    droppedConnections: new Counter({
      name: 'bpf_webhook_connections_dropped_total',
      help: 'Connections that were not accepted because too many were open.',
      registers: [registry],
    }),
    certificateNotAfter: new Gauge({
      name: 'bpf_webhook_certificate_not_after_timestamp_seconds',
      help: 'When the certificate of this replica (leaf) and that of the CA which signs (authority) expire.',
      labelNames: ['certificate'],
      registers: [registry],
    }),
    certificateRenewals: new Counter({
      name: 'bpf_webhook_certificate_renewals_total',
      help: 'Certificates (leaf) that this replica has begun to use, and CAs (authority) by which it has replaced the one that signs.',
      labelNames: ['certificate'],
      registers: [registry],
    }),
    certificateFailures: new Counter({
      name: 'bpf_webhook_certificate_failures_total',
      help: 'Attempts to keep the certificate that failed, by what failed (secret, bundle, directory, internal).',
      labelNames: ['reason'],
      registers: [registry],
    }),
  };
}
