import { containerName } from '../../sidecar/contract/pod.ts';
import { quantile } from '../../sidecar/page/quantile.ts';
import { hasLabels, type Labels, type Sample, sum } from '../../webhook/cli/top/samples.ts';
import type { Scrape } from './scrape.ts';

/** What one container did: rates between two scrapes, quantiles and counts since the start. */
export interface Figures {
  container: string;
  syscalls: { perSecond: number; errorsPerSecond: number; top: Syscall[] };
  receive: Traffic;
  transmit: Traffic;
  tcp: { opened: number; accepted: number; failed: number; closed: number; retransmits: number };
  rtt: Quantiles;
  connect: Quantiles;
}

export interface Syscall {
  name: string;
  perSecond: number;
  errorsPerSecond: number;
  duration: Quantiles;
}

export interface Traffic {
  bytesPerSecond: number;
  packetsPerSecond: number;
}

/** In seconds; undefined when nothing was observed. */
export interface Quantiles {
  p50: number | undefined;
  p99: number | undefined;
}

const shownSyscalls = 4;

/** The figures of every container that a scrape knows, by name; the sidecar's are about itself and left out. */
export function figuresOf(before: Scrape, now: Scrape): Figures[] {
  const names = new Set(
    now.samples.map(({ labels }) => labels.container).filter((name) => name !== undefined),
  );
  names.delete(containerName);
  return [...names].sort().map((container) => figuresOfContainer(container, before, now));
}

function figuresOfContainer(container: string, before: Scrape, now: Scrape): Figures {
  const seconds = (now.at - before.at) / 1000;
  const own = ({ labels }: Sample) => labels.container === container;
  const samples = now.samples.filter(own);
  const earlier = before.samples.filter(own);
  const total = (name: string) => sum(samples, name);
  const rate = (name: string, labels: Labels = {}) =>
    seconds > 0 ? (sum(samples, name, labels) - sum(earlier, name, labels)) / seconds : 0;
  const traffic = (direction: string): Traffic => ({
    bytesPerSecond: rate('bpf_network_io_bytes_total', { network_io_direction: direction }),
    packetsPerSecond: rate('bpf_network_packet_count_total', { network_io_direction: direction }),
  });
  const syscall = (name: string): Syscall => ({
    name,
    perSecond: rate('bpf_syscalls_total', { syscall: name }),
    errorsPerSecond: rate('bpf_syscall_errors_total', { syscall: name }),
    duration: quantiles(samples, 'bpf_syscall_duration_seconds', { syscall: name }),
  });
  const syscalls = samples
    .filter(({ name }) => name === 'bpf_syscalls_total')
    .map(({ labels }) => labels.syscall!);
  return {
    container,
    syscalls: {
      perSecond: rate('bpf_syscalls_total'),
      errorsPerSecond: rate('bpf_syscall_errors_total'),
      top: syscalls
        .map(syscall)
        .sort((a, b) => b.perSecond - a.perSecond)
        .slice(0, shownSyscalls),
    },
    receive: traffic('receive'),
    transmit: traffic('transmit'),
    tcp: {
      opened: total('bpf_tcp_connections_opened_total'),
      accepted: total('bpf_tcp_connections_accepted_total'),
      failed: total('bpf_tcp_connections_failed_total'),
      closed: total('bpf_tcp_connections_closed_total'),
      retransmits: total('bpf_tcp_retransmits_total'),
    },
    rtt: quantiles(samples, 'bpf_tcp_rtt_seconds'),
    connect: quantiles(samples, 'bpf_tcp_connect_seconds'),
  };
}

function quantiles(samples: readonly Sample[], name: string, labels: Labels = {}): Quantiles {
  const buckets = samples
    .filter((sample) => sample.name === `${name}_bucket` && hasLabels(sample, labels))
    .map((sample) => ({ bound: Number(sample.labels.le!.replace('+Inf', 'Infinity')), count: sample.value }))
    .sort((a, b) => a.bound - b.bound);
  const bounds = buckets.map(({ bound }) => bound);
  const counts = buckets.map(({ count }) => count);
  return { p50: quantile(0.5, bounds, counts), p99: quantile(0.99, bounds, counts) };
}
