import { containerName } from '../../../sidecar/contract/pod.ts';
import { type Labels, type Reading, sum } from './samples.ts';
import { formatBytes, formatNumber, formatShare } from './units.ts';

/** A counter whose rate is shown, under a title that can stand before or behind it. */
interface Column {
  title: string;
  name: string;
  labels?: Labels;
  format(perSecond: number): string;
}

/** What the containers of a pod did between two scrapes. */
export interface Rates {
  titles: string[];
  containers: { name: string; cells: string[] }[];
}

const bytes = (direction: string) => ({
  name: 'bpf_network_io_bytes_total',
  labels: { network_io_direction: direction },
  format: formatBytes,
});

const columns: readonly Column[] = [
  { title: 'CPU', name: 'bpf_cpu_time_seconds_total', format: formatShare },
  { title: 'syscalls/s', name: 'bpf_syscalls_total', format: formatNumber },
  { title: 'received', ...bytes('receive') },
  { title: 'sent', ...bytes('transmit') },
  { title: 'TCP opened/s', name: 'bpf_tcp_connections_opened_total', format: formatNumber },
  { title: 'TCP accepted/s', name: 'bpf_tcp_connections_accepted_total', format: formatNumber },
  { title: 'TCP failed/s', name: 'bpf_tcp_connections_failed_total', format: formatNumber },
  { title: 'page faults/s', name: 'bpf_process_paging_faults_total', format: formatNumber },
  { title: 'forks/s', name: 'bpf_process_forks_total', format: formatNumber },
];

/**
 * The rates of every container that a scrape knows, by name, of the counters that it has, which are those of the probes that
 * the pod asked for. The sidecar's own are about itself and left out.
 */
export function ratesOf(before: Reading, now: Reading): Rates {
  const seconds = (now.at - before.at) / 1000;
  const shown = columns.filter(({ name }) => now.samples.some((sample) => sample.name === name));
  const names = new Set(now.samples.flatMap(({ labels: { container } }) => container || []));
  names.delete(containerName);
  return {
    titles: shown.map(({ title }) => title),
    containers: [...names].sort().map((container) => ({
      name: container,
      cells: shown.map(({ name, labels, format }) => {
        const own = { ...labels, container };
        return format(increase(sum(before.samples, name, own), sum(now.samples, name, own)) / seconds);
      }),
    })),
  };
}

/** A counter that is lower than before has begun anew, with its sidecar. */
function increase(before: number, now: number): number {
  return now < before ? now : now - before;
}
