import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figuresOf } from '../../../sidecar/page/cost.ts';
import { family, historyOf } from './readings.ts';

const scrape = (seconds: number, scrapes: number) =>
  family('bpf_sidecar_resident_memory_bytes', 'gauge', { 'container="bpf-sidecar"': 36 * 1024 * 1024 }) +
  family('bpf_sidecar_cpu_seconds_total', 'counter', { 'container="bpf-sidecar"': seconds }) +
  `# TYPE bpf_sidecar_scrape_duration_seconds histogram
bpf_sidecar_scrape_duration_seconds_bucket{le="+Inf"} ${scrapes}
bpf_sidecar_scrape_duration_seconds_sum ${scrapes * 0.002}
bpf_sidecar_scrape_duration_seconds_count ${scrapes}
`;

test('what the sidecar takes is told, and what is not known is not made up', () => {
  const figures = (...texts: string[]) =>
    Object.fromEntries(figuresOf(historyOf(...texts)).map(({ what, value }) => [what, value]));
  assert.deepEqual(figures(scrape(1, 4), scrape(1.05, 8)), {
    memory: '36 MiB',
    CPU: '0.50 %',
    'time to answer a scrape': '2 ms',
    'programs, of a CPU': '–',
    series: '3',
  });
  assert.equal(figures(scrape(1, 4)).CPU, '–');
});
