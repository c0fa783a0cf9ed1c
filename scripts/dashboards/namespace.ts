import type { Dashboard, Row } from './dashboard.ts';
import { queriesOf } from './queries.ts';
import { events, losses } from './shared.ts';

const pods = 'namespace="$namespace",pod=~"$pod"';
const { rate, count, level, share, quantile } = queriesOf({
  select: `${pods},container=~"$container"`,
  by: ['pod'],
  top: 20,
});
/** What belongs to pods and to none of their containers. */
const sidecar = queriesOf({ select: pods, by: ['pod'], top: 20 });
/** Of all pods together. */
const together = queriesOf({ select: pods, by: [] });

const p99 = (metric: string, where?: string) => [quantile(metric, 0.99, { ...(where && { where }) })];

const rows: readonly Row[] = [
  {
    title: 'Sidecars',
    panels: [
      {
        title: 'Sidecars',
        unit: 'none',
        show: 'number',
        queries: [together.level('bpf_sidecar_build_info', { by: ['version'] }, 'count')],
        note: 'By version.',
      },
      {
        title: 'Not at work',
        unit: 'none',
        show: 'number',
        queries: [
          { expr: `sum(1 - bpf_sidecar_program_attached{${pods}})`, legend: 'programs not attached' },
          { expr: `sum(1 - bpf_sidecar_probe_loaded{${pods}})`, legend: 'probes not loaded' },
          { expr: `sum(1 - bpf_sidecar_config_valid{${pods}})`, legend: 'annotations refused' },
        ],
        note: 'In all pods. The reason is in the log of the sidecar and on its page at `/`.',
      },
    ],
  },
  {
    probe: 'cpu',
    panels: [
      {
        title: 'CPU time',
        unit: 'percentunit',
        show: 'stacked',
        queries: [rate('bpf_cpu_time_seconds_total')],
        note: '100 % is one CPU.',
      },
      {
        title: 'Wait for a CPU, 99th percentile',
        unit: 's',
        queries: p99('bpf_cpu_run_queue_latency_seconds'),
      },
      {
        title: 'Periods in which the CPU limit was reached',
        unit: 'percentunit',
        queries: [share({ metric: 'bpf_cpu_throttled_periods_total' }, 'bpf_cpu_periods_total')],
        note: 'Empty for pods without a CPU limit.',
      },
    ],
  },
  {
    probe: 'memory',
    panels: [
      {
        title: 'Memory',
        unit: 'bytes',
        show: 'stacked',
        queries: [level('bpf_memory_usage_bytes')],
        note: 'Empty where the memory controller is not that of cgroup v2.',
      },
      {
        title: 'Time spent to free memory',
        unit: 'percentunit',
        queries: [rate('bpf_memory_reclaim_seconds_sum', { by: ['cause'] })],
        note: '100 % is one thread that does nothing else.',
      },
      { title: 'Killed for want of memory', unit: 'short', queries: [count('bpf_memory_oom_kills_total')] },
    ],
  },
  {
    probe: 'network',
    panels: [
      {
        title: 'Bytes received',
        unit: 'Bps',
        show: 'stacked',
        queries: [rate('bpf_network_io_bytes_total', { where: 'network_io_direction="receive"' })],
      },
      {
        title: 'Bytes sent',
        unit: 'Bps',
        show: 'stacked',
        queries: [rate('bpf_network_io_bytes_total', { where: 'network_io_direction="transmit"' })],
      },
      {
        title: 'Packets dropped',
        unit: 'pps',
        queries: [rate('bpf_network_packet_dropped_total', { by: ['reason'] })],
      },
    ],
  },
  {
    probe: 'tcp',
    panels: [
      {
        title: 'Connections begun',
        unit: events,
        queries: [
          rate('bpf_tcp_connections_opened_total', { as: 'opened' }),
          rate('bpf_tcp_connections_accepted_total', { as: 'accepted' }),
        ],
      },
      {
        title: 'Failed connections',
        unit: events,
        queries: [rate('bpf_tcp_connections_failed_total', { by: ['error_type'] })],
      },
      {
        title: 'Active connections',
        unit: 'short',
        show: 'stacked',
        queries: [level('bpf_tcp_connections_active')],
      },
      { title: 'Round-trip time, 99th percentile', unit: 's', queries: p99('bpf_tcp_rtt_seconds') },
      { title: 'Time to connect, 99th percentile', unit: 's', queries: p99('bpf_tcp_connect_seconds') },
      { title: 'Segments sent again', unit: events, queries: [rate('bpf_tcp_retransmits_total')] },
    ],
  },
  {
    probe: 'process',
    panels: [
      { title: 'Processes started', unit: events, queries: [rate('bpf_process_forks_total')] },
      {
        title: 'Ended by a signal',
        unit: 'short',
        queries: [count('bpf_process_kills_total', { by: ['signal'] })],
      },
      {
        title: 'Ended with another code than 0',
        unit: events,
        queries: [
          rate('bpf_process_exits_total', { by: ['process_exit_code'], where: 'process_exit_code!="0"' }),
        ],
      },
    ],
  },
  {
    probe: 'http',
    closed: true,
    panels: (['server', 'client'] as const).flatMap((role) => {
      const metric = `bpf_http_${role}_request_duration_seconds`;
      const whose = role === 'server' ? 'Requests answered' : 'Requests made';
      return [
        { title: whose, unit: 'reqps', show: 'stacked' as const, queries: [rate(`${metric}_count`)] },
        {
          title: `${whose} that failed`,
          unit: 'percentunit',
          queries: [
            share(
              { metric: `${metric}_count`, where: 'http_response_status_code=~"5..|"' },
              `${metric}_count`,
            ),
          ],
          note: 'With a status of 5.., or without one because the connection was closed.',
        },
        { title: `${whose}, 99th percentile of duration`, unit: 's', queries: p99(metric) },
      ];
    }),
  },
  {
    probe: 'dns',
    closed: true,
    panels: [
      { title: 'Queries', unit: 'reqps', queries: [rate('bpf_dns_queries_total')] },
      {
        title: 'Responses with an error',
        unit: 'percentunit',
        queries: [
          share(
            { metric: 'bpf_dns_responses_total', where: 'dns_response_code!="NOERROR"' },
            'bpf_dns_responses_total',
          ),
        ],
      },
      { title: 'Lookups, 99th percentile', unit: 's', queries: p99('bpf_dns_lookup_duration_seconds') },
      { title: 'Unanswered queries', unit: events, queries: [rate('bpf_dns_queries_unanswered_total')] },
    ],
  },
  {
    probe: 'files',
    closed: true,
    panels: [
      {
        title: 'Bytes',
        unit: 'Bps',
        queries: [rate('bpf_file_io_bytes_total', { by: ['file_operation'] })],
      },
      { title: 'Errors', unit: 'iops', queries: [rate('bpf_file_operation_errors_total')] },
      {
        title: 'Fsync, 99th percentile',
        unit: 's',
        queries: p99('bpf_file_operation_duration_seconds', 'file_operation="fsync"'),
      },
    ],
  },
  {
    probe: 'disk',
    closed: true,
    note: 'Empty where block I/O is not charged to cgroup v2.',
    panels: [
      {
        title: 'Bytes',
        unit: 'Bps',
        queries: [rate('bpf_disk_io_bytes_total', { by: ['disk_io_direction'] })],
      },
      {
        title: 'Requests, 99th percentile',
        unit: 's',
        queries: p99('bpf_disk_operation_time_seconds'),
      },
    ],
  },
  {
    probe: 'pressure',
    closed: true,
    note: 'Empty where the kernel has no PSI.',
    panels: (['cpu', 'memory', 'io'] as const).map((resource) => ({
      title: `Tasks waited for ${{ cpu: 'a CPU', memory: 'memory', io: 'I/O' }[resource]}`,
      unit: 'percentunit',
      queries: [rate(`bpf_pressure_${resource}_waiting_seconds_total`)],
    })),
  },
  {
    probe: 'syscalls',
    closed: true,
    panels: [
      { title: 'System calls', unit: events, queries: [rate('bpf_syscalls_total')] },
      { title: 'Errors', unit: events, queries: [rate('bpf_syscall_errors_total')] },
    ],
  },
  {
    probe: 'security',
    closed: true,
    panels: [
      {
        title: 'Calls that were denied',
        unit: events,
        queries: [rate('bpf_security_operations_total', { by: ['operation'], where: 'verdict="denied"' })],
      },
      {
        title: 'To unknown networks',
        unit: events,
        queries: [rate('bpf_security_unknown_destinations_total')],
        note: 'Empty unless `bpf.sh/probe-options` has `security.known`.',
      },
    ],
  },
  {
    title: 'The sidecars themselves',
    closed: true,
    panels: [
      { title: 'Memory', unit: 'bytes', queries: [sidecar.level('bpf_sidecar_resident_memory_bytes')] },
      {
        title: 'CPU time',
        unit: 'percentunit',
        queries: [sidecar.rate('bpf_sidecar_cpu_seconds_total')],
        note: '100 % is one CPU.',
      },
      {
        title: 'Scrapes, 99th percentile',
        unit: 's',
        queries: [sidecar.quantile('bpf_sidecar_scrape_duration_seconds', 0.99, {})],
      },
      ...losses(together),
    ],
  },
];

export const namespaceDashboard: Dashboard = {
  name: 'namespace',
  title: 'bpf-sidecar / Namespace',
  description:
    'The pods with a sidecar of one namespace side by side; of many pods the 20 highest at a time.',
  variables: [
    { name: 'namespace', of: 'bpf_sidecar_build_info' },
    { name: 'pod', of: 'bpf_sidecar_build_info{namespace="$namespace"}', all: '.+' },
    { name: 'container', of: `{__name__=~"bpf_.+",container!~"bpf-sidecar|",${pods}}`, all: '.*' },
  ],
  opens: {
    title: 'The pod',
    url: `/d/bpf-sidecar-pod?var-datasource=$datasource&var-namespace=$namespace&var-pod=\${__field.labels.pod}&\${__url_time_range}`,
  },
  rows,
};
