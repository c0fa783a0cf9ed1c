import type { Exemplar, Family } from '../../../sidecar/series/family.ts';

/** Of these buckets only. */
function exemplars(...given: [bucket: number, labels: string, value: number][]): Exemplar[] {
  const sparse: Exemplar[] = [];
  for (const [bucket, labels, value] of given) sparse[bucket] = { labels, value, time: 1_700_000_001.25 };
  return sparse;
}

/** One family of each kind, with a series of more than one label, none, and values that are hard to write. */
export const families: Family[] = [
  {
    type: 'counter',
    name: 'bpf_syscalls_total',
    help: 'System calls that returned.',
    created: 1_700_000_000.5,
    series: [
      { labels: 'container="web",syscall="read"', value: 2 ** 53 },
      { labels: 'container="web",syscall="write"', value: 0 },
    ],
  },
  {
    type: 'counter',
    name: 'bpf_events',
    help: 'A counter that is not called so.',
    created: 1_700_000_000.5,
    series: [{ labels: '', value: 7 }],
  },
  {
    type: 'gauge',
    name: 'bpf_open_sockets',
    help: 'Path C:\\a,\nnext "line".',
    series: [
      { labels: 'case="nan"', value: Number.NaN },
      { labels: 'case="infinity"', value: Number.POSITIVE_INFINITY },
      { labels: 'case="minus infinity"', value: Number.NEGATIVE_INFINITY },
      { labels: 'case="largest u64"', value: 2 ** 64 },
      { labels: 'case="small"', value: 1e-9 },
    ],
  },
  { type: 'unknown', name: 'bpf_foreign', help: '', series: [{ labels: '', value: 1.5 }] },
  {
    type: 'histogram',
    name: 'bpf_rtt_seconds',
    help: 'Round trips.',
    created: 1_700_000_000.5,
    bounds: [0.000001, 0.5, 1],
    series: [
      {
        labels: 'container="web"',
        counts: [1, 0, 2, 4],
        sum: 12.25,
        exemplars: exemplars([0, '', 1e-7], [2, 'pid="1",comm="say \\"hi\\""', 0.75], [3, 'pid="2"', 4]),
      },
      { labels: 'container="idle"', counts: [0, 0, 0, 0], sum: 0 },
    ],
  },
  {
    type: 'gaugehistogram',
    name: 'bpf_queue_bytes',
    help: 'Packets in the queue.',
    created: 1_700_000_000.5,
    bounds: [1000, 2000],
    series: [{ labels: 'device="eth0"', counts: [2, 0, 1], sum: 5500 }],
  },
  {
    type: 'summary',
    name: 'bpf_wait_seconds',
    help: 'Waits.',
    created: 1_700_000_000.5,
    series: [
      { labels: 'container="web"', count: 3, sum: 0.25 },
      { labels: '', count: 0, sum: 0 },
    ],
  },
  {
    type: 'stateset',
    name: 'bpf_link_state',
    help: 'States of the link.',
    states: ['up', 'no "carrier"', 'loop'],
    series: [
      { labels: 'device="eth0"', value: 0b001 },
      { labels: '', value: 0b110 },
    ],
  },
  {
    type: 'info',
    name: 'bpf_program_info',
    help: 'Programs.',
    series: [{ labels: 'program="count"', value: 1 }],
  },
  { type: 'gauge', name: 'bpf_empty', help: 'A map without entries.', series: [] },
];

export const constantLabels = 'namespace="default",pod="web-1"';
