import { skipReasons } from '../../webhook/admission/reasons.ts';
import type { Dashboard, Row } from './dashboard.ts';
import { type Query, queriesOf } from './queries.ts';
import { events } from './shared.ts';

const select = 'namespace="$namespace",pod=~"$pod"';
const { rate, count, level, quantiles, heat } = queriesOf({ select, by: [] });
const replica = queriesOf({ select, by: ['pod'] });

/** Reasons for a skip that nobody has to know of. */
const usual = Object.entries(skipReasons).flatMap(([reason, { warn }]) => (warn ? [] : [reason]));

/** Without the series of what has not happened, where there is one for everything that could. */
const above0 = ({ expr, legend }: Query): Query => ({ expr: `${expr} > 0`, legend });

const rows: readonly Row[] = [
  {
    title: 'Admission',
    panels: [
      {
        title: 'Admissions',
        unit: 'reqps',
        show: 'stacked',
        queries: [rate('bpf_webhook_admissions_total', { by: ['result'] })],
      },
      {
        title: 'Pods that asked for the sidecar and did not get it',
        unit: 'short',
        queries: [
          above0(
            count('bpf_webhook_admissions_total', {
              by: ['result', 'reason'],
              where: `result!="injected",reason!~"${usual.join('|')}"`,
            }),
          ),
        ],
        note: 'Reasons are explained in docs/troubleshooting.md.',
      },
      {
        title: 'Mistakes in pod templates',
        unit: 'short',
        queries: [count('bpf_webhook_templates_total', { by: ['reason'], where: 'reason!=""' })],
      },
      {
        title: 'Duration of an admission',
        unit: 's',
        queries: quantiles('bpf_webhook_admission_duration_seconds', { by: ['path'] }),
      },
      {
        title: 'Duration of an admission, all',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_webhook_admission_duration_seconds')],
      },
      {
        title: 'Admissions by replica',
        unit: 'reqps',
        queries: [replica.rate('bpf_webhook_admission_duration_seconds_count')],
      },
      {
        title: 'Connections not accepted',
        unit: 'short',
        queries: [replica.count('bpf_webhook_connections_dropped_total')],
      },
      {
        title: 'Events',
        unit: events,
        queries: [rate('bpf_webhook_events_total', { by: ['result'] })],
        note: 'Without access to an API server, as with `bpf-sidecar webhook` at a terminal, there are none.',
      },
    ],
  },
  {
    title: 'Certificates',
    panels: [
      {
        title: 'Certificates expire in',
        unit: 's',
        queries: [
          {
            expr: `min by (pod, certificate) (bpf_webhook_certificate_not_after_timestamp_seconds{${select}}) - time()`,
            legend: '{{pod}} {{certificate}}',
          },
        ],
      },
      {
        title: 'Renewals',
        unit: 'short',
        queries: [replica.count('bpf_webhook_certificate_renewals_total', { by: ['certificate'] })],
      },
      {
        title: 'Failures',
        unit: 'short',
        queries: [replica.count('bpf_webhook_certificate_failures_total', { by: ['reason'] })],
      },
    ],
  },
  {
    title: 'Monitors',
    note: 'Empty unless `monitors.kind` is ServiceMonitor or PodMonitor.',
    panels: [
      {
        title: 'Monitors and Services',
        unit: events,
        queries: [rate('bpf_webhook_monitors_total', { by: ['result'] })],
      },
      {
        title: 'Groups of pods that wait',
        unit: 'short',
        queries: [replica.level('bpf_webhook_monitors_waiting')],
      },
      {
        title: 'Pods without a monitor',
        unit: 'none',
        show: 'number',
        queries: [level('bpf_webhook_monitors_pods_left_out', { as: 'pods' }, 'max')],
      },
      {
        title: 'Kind of monitor',
        unit: 'none',
        show: 'number',
        queries: [level('bpf_webhook_monitors_installed', { as: 'kind' }, 'min')],
        words: { 0: { text: 'not installed', color: 'red' }, 1: { text: 'installed', color: 'green' } },
      },
    ],
  },
];

export const webhookDashboard: Dashboard = {
  name: 'webhook',
  title: 'bpf-sidecar / Webhook',
  description:
    'What the admission webhook decides, how fast, its certificates, and the monitors that it keeps.',
  variables: [
    { name: 'namespace', of: 'bpf_webhook_connections_dropped_total' },
    { name: 'pod', of: 'bpf_webhook_connections_dropped_total{namespace="$namespace"}', all: '.*' },
  ],
  rows,
};
