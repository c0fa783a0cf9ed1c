import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figuresOf } from '../../../scripts/demo/figures.ts';
import type { Scrape } from '../../../scripts/demo/scrape.ts';
import { summaries, tables } from '../../../scripts/demo/view.ts';
import { parse } from '../../../webhook/cli/top/samples.ts';

const scrapeAt = (at: number, lines: string[]): Scrape => ({
  at,
  samples: parse(lines.join('\n')),
  text: '',
});

const before = scrapeAt(1000, [
  'bpf_syscalls_total{container="web",syscall="read"} 100',
  'bpf_network_io_bytes_total{container="web",network_io_direction="receive",network_type="ipv4",network_transport="tcp"} 1024',
]);
const now = scrapeAt(3000, [
  'bpf_syscalls_total{container="web",syscall="read"} 300',
  'bpf_syscalls_total{container="web",syscall="write"} 50',
  'bpf_syscall_errors_total{container="web",syscall="read",errno="EAGAIN"} 8',
  'bpf_syscalls_total{container="client",syscall="read"} 7',
  'bpf_syscall_duration_seconds_bucket{container="web",syscall="read",le="1"} 0',
  'bpf_syscall_duration_seconds_bucket{container="web",syscall="read",le="3"} 300',
  'bpf_syscall_duration_seconds_bucket{container="web",syscall="read",le="+Inf"} 300',
  'bpf_network_io_bytes_total{container="web",network_io_direction="receive",network_type="ipv4",network_transport="tcp"} 5120',
  'bpf_network_io_bytes_total{container="web",network_io_direction="receive",network_type="ipv6",network_transport="tcp"} 2048',
  'bpf_network_io_bytes_total{container="web",network_io_direction="transmit",network_type="ipv4",network_transport="tcp"} 4',
  'bpf_tcp_connections_opened_total{container="web"} 5',
  'bpf_tcp_connections_closed_total{container="web"} 3',
  'process_cpu_seconds_total{container="bpf-sidecar"} 1',
]);

test('rates are those between two scrapes, over all series of a container', () => {
  const [client, web] = figuresOf(before, now);
  assert.equal(client?.container, 'client');
  assert.equal(web?.syscalls.perSecond, (200 + 50) / 2);
  assert.equal(web?.syscalls.errorsPerSecond, 4);
  assert.equal(web?.receive.bytesPerSecond, (4096 + 2048) / 2);
  assert.deepEqual(
    web?.syscalls.top.map(({ name, perSecond }) => [name, perSecond]),
    [
      ['read', 100],
      ['write', 25],
    ],
  );
  assert.equal(web?.syscalls.top[0]?.duration.p50, 2);
});

test('the tables name every container and fit the width', () => {
  const figures = figuresOf(before, now);
  const lines = tables(figures, 80).map(({ text }) => text);
  assert.ok(
    lines.some((line) => /^ {2}web +125 +4 *$/.test(line)),
    lines.join('\n'),
  );
  assert.ok(
    lines.some((line) => /^ {2}web +3 KiB\/s +0 +2 B\/s +0$/.test(line)),
    lines.join('\n'),
  );
  for (const width of [80, 40]) assert.ok(tables(figures, width).every(({ text }) => text.length <= width));
});

test('without a terminal there is a line for each container', () => {
  const lines = summaries(figuresOf(before, now), 3);
  assert.equal(lines.length, 2);
  assert.match(lines[1]!, /^ +3 s {2}web: 125 syscalls\/s; received 3 KiB\/s; sent 2 B\/s; TCP 5 opened/);
});
