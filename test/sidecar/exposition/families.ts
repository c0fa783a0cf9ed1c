import type { Family } from '../../../sidecar/series/family.ts';

/** One family of each kind, with a series of more than one label, none, and values that are hard to write. */
export const families: Family[] = [
  {
    type: 'counter',
    name: 'bpf_syscalls_total',
    help: 'System calls that returned.',
    series: [
      { labels: 'container="web",syscall="read"', value: 2 ** 53 },
      { labels: 'container="web",syscall="write"', value: 0 },
    ],
  },
  {
    type: 'counter',
    name: 'bpf_events',
    help: 'A counter that is not called so.',
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
    bounds: [0.000001, 0.5, 1],
    series: [
      { labels: 'container="web"', counts: [1, 0, 2, 4], sum: 12.25 },
      { labels: 'container="idle"', counts: [0, 0, 0, 0], sum: 0 },
    ],
  },
  { type: 'gauge', name: 'bpf_empty', help: 'A map without entries.', series: [] },
];

export const constantLabels = 'namespace="default",pod="web-1"';
