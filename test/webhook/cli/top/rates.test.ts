import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratesOf } from '../../../../webhook/cli/top/rates.ts';
import { parse } from '../../../../webhook/cli/top/samples.ts';
import { lines, table } from '../../../../webhook/cli/top/view.ts';

const reading = (at: number, ...texts: string[]) => ({ at, samples: parse(texts.join('\n')) });

const before = reading(
  1000,
  'bpf_cpu_time_seconds_total{container="web"} 10',
  'bpf_process_forks_total{container="web"} 100',
  'bpf_network_io_bytes_total{container="web",network_io_direction="receive",network_type="ipv4"} 1024',
);
const now = reading(
  3000,
  'bpf_cpu_time_seconds_total{container="web"} 10.25',
  'bpf_cpu_time_seconds_total{container="db"} 3',
  'bpf_process_forks_total{container="web"} 8',
  'bpf_network_io_bytes_total{container="web",network_io_direction="receive",network_type="ipv4"} 5120',
  'bpf_network_io_bytes_total{container="web",network_io_direction="receive",network_type="ipv6"} 2048',
  'bpf_network_io_bytes_total{container="web",network_io_direction="transmit",network_type="ipv4"} 4',
  'bpf_tcp_connections_opened_total{container="db"} 5',
  'bpf_tcp_events_uncounted_total 1',
  'process_cpu_seconds_total{container="bpf-sidecar"} 1',
);

test('rates are those between two scrapes, of the counters that the pod has', () => {
  assert.deepEqual(ratesOf(before, now), {
    titles: ['CPU', 'received', 'sent', 'TCP opened/s', 'forks/s'],
    containers: [
      { name: 'db', cells: ['150 %', '0 B/s', '0 B/s', '2.5', '0'] },
      // The forks are fewer than before: the sidecar has started again.
      { name: 'web', cells: ['12.5 %', '3 KiB/s', '2 B/s', '0', '4'] },
    ],
  });
});

test('the table is aligned and no wider than the terminal', () => {
  const rates = ratesOf(before, now);
  assert.deepEqual(
    table(rates, 100).map(({ text }) => text),
    [
      'container     CPU  received   sent  TCP opened/s  forks/s',
      'db          150 %     0 B/s  0 B/s           2.5        0',
      'web        12.5 %   3 KiB/s  2 B/s             0        4',
    ],
  );
  assert.ok(table(rates, 30).every(({ text }) => text.length <= 30));
});

test('elsewhere there is a line for each container', () => {
  assert.deepEqual(lines(ratesOf(before, now), '12:00:00'), [
    '12:00:00  db: 150 % CPU; 0 B/s received; 0 B/s sent; 2.5 TCP opened/s; 0 forks/s',
    '12:00:00  web: 12.5 % CPU; 3 KiB/s received; 2 B/s sent; 0 TCP opened/s; 4 forks/s',
  ]);
});

test('a pod in which nothing was counted yet says so', () => {
  const rates = ratesOf(reading(0), reading(1000, 'bpf_tcp_events_uncounted_total 0'));
  assert.deepEqual(lines(rates, '12:00:00'), ['12:00:00  no container has been seen at work yet']);
  assert.equal(table(rates, 100).length, 1);
});
