import type { Dashboard, Row } from './dashboard.ts';
import { queriesOf } from './queries.ts';
import { attachment, events, losses, pod } from './shared.ts';

const { rate, count, level, share, quantiles, quantile, heat } = queriesOf({
  select: `${pod},container=~"$container"`,
  by: ['container'],
});
/** What belongs to the pod and to none of its containers, such as the sidecar's own. */
const whole = queriesOf({ select: pod, by: [] });

const rows: readonly Row[] = [
  {
    title: 'Sidecar',
    panels: [
      {
        title: 'Programs attached',
        unit: 'none',
        show: 'number',
        queries: [whole.level('bpf_sidecar_program_attached', { as: 'attached' })],
      },
      {
        title: 'Annotations',
        unit: 'none',
        show: 'number',
        queries: [whole.level('bpf_sidecar_config_valid', { as: 'annotations' }, 'min')],
        words: { 0: { text: 'refused', color: 'red' }, 1: { text: 'accepted', color: 'green' } },
      },
      {
        title: 'Version',
        unit: 'none',
        show: 'name',
        queries: [whole.level('bpf_sidecar_build_info', { by: ['version'] }, 'max')],
      },
      {
        title: 'Not at work',
        unit: 'none',
        show: 'number',
        queries: [
          { expr: `sum(1 - bpf_sidecar_probe_loaded{${pod}})`, legend: 'probes not loaded' },
          { expr: `sum(1 - bpf_sidecar_program_attached{${pod}})`, legend: 'programs not attached' },
        ],
        note: 'The reason is in the log of the sidecar and on its page at `/`.',
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
      { title: 'Wait for a CPU', unit: 's', queries: quantiles('bpf_cpu_run_queue_latency_seconds') },
      {
        title: 'Wait for a CPU, all',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_cpu_run_queue_latency_seconds')],
      },
      {
        title: 'Context switches',
        unit: events,
        queries: [rate('bpf_process_context_switches_total', { by: ['process_context_switch_type'] })],
      },
      {
        title: 'Time on a CPU at a stretch',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_cpu_run_duration_seconds')],
      },
      { title: 'Migrations', unit: events, queries: [rate('bpf_cpu_migrations_total')] },
      {
        title: 'Periods in which the CPU limit was reached',
        unit: 'percentunit',
        queries: [share({ metric: 'bpf_cpu_throttled_periods_total' }, 'bpf_cpu_periods_total')],
        note: 'Empty for a container without a CPU limit.',
      },
      {
        title: 'Time kept from the CPUs by the limit',
        unit: 'percentunit',
        queries: [rate('bpf_cpu_throttled_seconds_total')],
        note: 'Empty for a container without a CPU limit.',
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
        title: 'Page faults',
        unit: events,
        queries: [rate('bpf_process_paging_faults_total', { by: ['system_paging_fault_type'] })],
      },
      {
        title: 'Waits for memory to be freed',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_memory_reclaim_seconds')],
      },
      {
        title: 'Time spent to free memory',
        unit: 'percentunit',
        queries: [rate('bpf_memory_reclaim_seconds_sum', { by: ['cause'] })],
        note: '100 % is one thread that does nothing else.',
      },
      {
        title: 'Limits reached',
        unit: 'short',
        queries: [
          count('bpf_memory_high_reached_total', { as: 'memory.high' }),
          count('bpf_memory_limit_reached_total', { as: 'limit' }),
          count('bpf_memory_limit_ooms_total', { as: 'limit, nothing reclaimed' }),
        ],
        note: 'Empty where the memory controller is not that of cgroup v2.',
      },
      { title: 'Killed for want of memory', unit: 'short', queries: [count('bpf_memory_oom_kills_total')] },
      {
        title: 'Size of the killed',
        unit: 'bytes',
        queries: [quantile('bpf_memory_oom_victim_bytes', 0.5, {})],
      },
    ],
  },
  {
    probe: 'network',
    panels: [
      {
        title: 'Bytes',
        unit: 'Bps',
        queries: [rate('bpf_network_io_bytes_total', { by: ['network_io_direction'] })],
      },
      {
        title: 'Packets',
        unit: 'pps',
        queries: [
          rate('bpf_network_packet_count_total', {
            by: ['network_io_direction', 'network_type', 'network_transport'],
          }),
        ],
      },
      {
        title: 'Packets dropped',
        unit: 'pps',
        queries: [rate('bpf_network_packet_dropped_total', { by: ['reason', 'network_transport'] })],
      },
    ],
  },
  {
    probe: 'process',
    panels: [
      {
        title: 'Started',
        unit: events,
        queries: [
          rate('bpf_process_forks_total', { as: 'processes' }),
          rate('bpf_process_threads_started_total', { as: 'threads' }),
          rate('bpf_process_execs_total', { as: 'programs executed' }),
        ],
      },
      {
        title: 'Ends, by exit code',
        unit: events,
        queries: [rate('bpf_process_exits_total', { by: ['process_exit_code'] })],
      },
      {
        title: 'Ended by a signal',
        unit: 'short',
        queries: [count('bpf_process_kills_total', { by: ['signal'] })],
      },
      {
        title: 'Signals received',
        unit: events,
        queries: [rate('bpf_process_signals_total', { by: ['signal'] })],
      },
    ],
  },
  {
    probe: 'tcp',
    panels: [
      {
        title: 'Connections',
        unit: events,
        queries: [
          rate('bpf_tcp_connections_opened_total', { as: 'opened' }),
          rate('bpf_tcp_connections_accepted_total', { as: 'accepted' }),
          rate('bpf_tcp_connections_closed_total', { as: 'closed' }),
        ],
      },
      {
        title: 'Active connections',
        unit: 'short',
        show: 'stacked',
        queries: [level('bpf_tcp_connections_active')],
      },
      {
        title: 'Failed connections',
        unit: events,
        queries: [rate('bpf_tcp_connections_failed_total', { by: ['error_type'] })],
      },
      {
        title: 'Payload',
        unit: 'Bps',
        queries: [
          rate('bpf_tcp_received_bytes_total', { as: 'received' }),
          rate('bpf_tcp_sent_bytes_total', { as: 'sent' }),
        ],
      },
      {
        title: 'Retransmits and resets',
        unit: events,
        queries: [
          rate('bpf_tcp_retransmits_total', { as: 'segments sent again' }),
          rate('bpf_tcp_resets_sent_total', { as: 'resets sent' }),
          rate('bpf_tcp_resets_received_total', { as: 'resets received' }),
        ],
      },
      { title: 'Round-trip time', unit: 's', queries: quantiles('bpf_tcp_rtt_seconds') },
      { title: 'Round-trip time, all', unit: 's', show: 'heatmap', queries: [heat('bpf_tcp_rtt_seconds')] },
      { title: 'Time to connect', unit: 's', queries: quantiles('bpf_tcp_connect_seconds') },
      {
        title: 'How long connections lasted',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_tcp_connection_duration_seconds')],
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
        {
          title: `${whose}, by status`,
          unit: 'reqps',
          queries: [
            rate(`${metric}_count`, {
              by: ['http_request_method', 'http_response_status_code', 'error_type'],
            }),
          ],
        },
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
        { title: `${whose}, duration`, unit: 's', queries: quantiles(metric) },
        {
          title: `${whose}, duration, all`,
          unit: 's',
          show: 'heatmap' as const,
          queries: [heat(metric)],
        },
      ];
    }),
  },
  {
    probe: 'dns',
    closed: true,
    panels: [
      {
        title: 'Queries',
        unit: 'reqps',
        queries: [rate('bpf_dns_queries_total', { by: ['dns_question_type'] })],
      },
      {
        title: 'Queries by domain',
        unit: 'reqps',
        queries: [rate('bpf_dns_queries_total', { by: ['dns_question_name'], top: 10 })],
        note: 'The 10 asked most. Domains have names only where `bpf.sh/probe-options` has `dns.domains`.',
      },
      {
        title: 'Responses',
        unit: 'reqps',
        queries: [rate('bpf_dns_responses_total', { by: ['dns_response_code'] })],
      },
      { title: 'Lookups', unit: 's', queries: quantiles('bpf_dns_lookup_duration_seconds') },
      {
        title: 'Lookups, all',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_dns_lookup_duration_seconds')],
      },
      {
        title: 'Without an answer, or unwanted',
        unit: events,
        queries: [
          rate('bpf_dns_queries_unanswered_total', { as: 'unanswered' }),
          rate('bpf_dns_responses_unmatched_total', { as: 'unmatched' }),
          rate('bpf_dns_messages_malformed_total', { as: 'malformed' }),
        ],
      },
    ],
  },
  {
    probe: 'files',
    closed: true,
    panels: [
      {
        title: 'Operations',
        unit: 'iops',
        queries: [rate('bpf_file_operations_total', { by: ['file_operation', 'system_filesystem_type'] })],
      },
      {
        title: 'Bytes',
        unit: 'Bps',
        queries: [rate('bpf_file_io_bytes_total', { by: ['file_operation', 'system_filesystem_type'] })],
      },
      {
        title: 'Errors',
        unit: 'iops',
        queries: [rate('bpf_file_operation_errors_total', { by: ['file_operation', 'errno'] })],
      },
      {
        title: 'Duration, 99th percentile',
        unit: 's',
        queries: [quantile('bpf_file_operation_duration_seconds', 0.99, { by: ['file_operation'] })],
      },
      {
        title: 'Duration, all',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_file_operation_duration_seconds')],
      },
      {
        title: 'Duration of fsync',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_file_operation_duration_seconds', 'file_operation="fsync"')],
      },
    ],
  },
  {
    probe: 'disk',
    closed: true,
    note: 'Empty where block I/O is not charged to cgroup v2.',
    panels: [
      {
        title: 'Requests',
        unit: 'iops',
        queries: [rate('bpf_disk_operations_total', { by: ['system_device', 'disk_io_direction'] })],
      },
      {
        title: 'Bytes',
        unit: 'Bps',
        queries: [rate('bpf_disk_io_bytes_total', { by: ['system_device', 'disk_io_direction'] })],
      },
      {
        title: 'Errors',
        unit: 'iops',
        queries: [rate('bpf_disk_operation_errors_total', { by: ['system_device', 'disk_io_direction'] })],
      },
      {
        title: 'Duration, 99th percentile',
        unit: 's',
        queries: [
          quantile('bpf_disk_operation_time_seconds', 0.99, { by: ['system_device', 'disk_io_direction'] }),
        ],
      },
      {
        title: 'Duration, all',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_disk_operation_time_seconds')],
      },
    ],
  },
  {
    probe: 'pressure',
    closed: true,
    note: 'Empty where the kernel has no PSI.',
    panels: (['cpu', 'memory', 'io'] as const).map((resource) => ({
      title: `Time without ${{ cpu: 'a CPU', memory: 'memory', io: 'I/O' }[resource]}`,
      unit: 'percentunit',
      queries: (['waiting', 'stalled'] as const).map((as) =>
        rate(`bpf_pressure_${resource}_${as}_seconds_total`, { as }),
      ),
    })),
  },
  {
    probe: 'syscalls',
    closed: true,
    panels: [
      {
        title: 'System calls',
        unit: events,
        queries: [rate('bpf_syscalls_total', { by: ['syscall'], top: 10 })],
        note: 'The 10 most frequent.',
      },
      {
        title: 'Errors',
        unit: events,
        queries: [rate('bpf_syscall_errors_total', { by: ['syscall', 'errno'], top: 10 })],
        note: 'The 10 most frequent.',
      },
      {
        title: 'Time in system calls',
        unit: 'percentunit',
        queries: [rate('bpf_syscall_duration_seconds_sum', { by: ['syscall'], top: 10 })],
        note: 'The 10 longest; 100 % is one thread that is always in it, be it to wait.',
      },
      {
        title: 'Duration, 99th percentile',
        unit: 's',
        queries: [quantile('bpf_syscall_duration_seconds', 0.99, { by: ['syscall'], top: 10 })],
        note: 'The 10 slowest.',
      },
      {
        title: 'Duration, all',
        unit: 's',
        show: 'heatmap',
        queries: [heat('bpf_syscall_duration_seconds')],
      },
    ],
  },
  {
    probe: 'security',
    closed: true,
    panels: [
      {
        title: 'Calls that need a privilege',
        unit: events,
        queries: [rate('bpf_security_operations_total', { by: ['operation', 'verdict'] })],
      },
      {
        title: 'Checks of capabilities',
        unit: events,
        queries: [rate('bpf_security_capability_checks_total', { by: ['capability', 'verdict'] })],
      },
      {
        title: 'To unknown networks',
        unit: events,
        queries: [
          rate('bpf_security_unknown_destinations_total', { by: ['network_type', 'network_transport'] }),
        ],
        note: 'Empty unless `bpf.sh/probe-options` has `security.known`.',
      },
    ],
  },
  {
    probe: 'profile',
    closed: true,
    panels: [
      {
        title: 'Samples taken',
        unit: 'cps',
        queries: [rate('bpf_profile_samples_total')],
        note: 'Only while somebody takes a profile.',
      },
    ],
  },
  {
    title: 'The sidecar itself',
    closed: true,
    panels: [
      {
        title: 'Programs',
        unit: 'none',
        show: 'table',
        queries: [whole.level('bpf_sidecar_program_attached', { by: ['probe', 'program'] }, 'min')],
        words: attachment,
      },
      {
        title: 'Memory',
        unit: 'bytes',
        queries: [whole.level('bpf_sidecar_resident_memory_bytes', { as: 'resident' })],
      },
      {
        title: 'CPU time',
        unit: 'percentunit',
        queries: [whole.rate('bpf_sidecar_cpu_seconds_total', { as: 'sidecar' })],
        note: '100 % is one CPU.',
      },
      { title: 'Scrapes', unit: 's', queries: whole.quantiles('bpf_sidecar_scrape_duration_seconds') },
      {
        title: 'Time in programs',
        unit: 'percentunit',
        queries: [whole.rate('bpf_sidecar_program_run_seconds_total', { by: ['probe', 'program'], top: 10 })],
        note: '100 % is one CPU. Empty where the kernel does not count: `sysctl kernel.bpf_stats_enabled=1`.',
      },
      {
        title: 'Runs of programs',
        unit: events,
        queries: [whole.rate('bpf_sidecar_program_runs_total', { by: ['probe', 'program'], top: 10 })],
        note: 'Empty where the kernel does not count: `sysctl kernel.bpf_stats_enabled=1`.',
      },
      {
        title: 'Fullness of maps',
        unit: 'percentunit',
        queries: [
          whole.fullness('bpf_sidecar_map_entries', 'bpf_sidecar_map_capacity', { by: ['probe', 'map'] }),
        ],
      },
      ...losses(whole),
      {
        title: 'Changes of annotations',
        unit: 'short',
        queries: [whole.count('bpf_sidecar_config_changes_total', { by: ['result'] })],
      },
    ],
  },
];

export const podDashboard: Dashboard = {
  name: 'pod',
  title: 'bpf-sidecar / Pod',
  description: 'What the eBPF sidecar of one pod counts, a row for each built-in probe.',
  variables: [
    { name: 'namespace', of: 'bpf_sidecar_build_info' },
    { name: 'pod', of: 'bpf_sidecar_build_info{namespace="$namespace"}' },
    {
      name: 'container',
      of: `{__name__=~"bpf_.+",container!~"bpf-sidecar|",${pod}}`,
      all: '.*',
    },
  ],
  rows,
};
