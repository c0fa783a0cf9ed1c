import type { History } from './history.ts';
import { bucketIncrease } from './rates.ts';
import type { Scrape } from './scrape.ts';
import { format } from './units.ts';

/** What the sidecar takes itself. */
export interface Figure {
  what: string;
  value: string;
}

/** The families that are plotted of the sidecar itself. */
export const costFamilies = [
  'bpf_sidecar_resident_memory_bytes',
  'bpf_sidecar_cpu_seconds_total',
  'bpf_sidecar_scrape_duration_seconds',
  'bpf_sidecar_program_run_seconds_total',
];

/** What tells that something is missing from the metrics; shown once it has counted something. */
export const lossFamilies = [
  'bpf_sidecar_series_dropped_total',
  'bpf_sidecar_label_values_changed_total',
  'bpf_sidecar_events_dropped_total',
  'bpf_sidecar_exemplar_labels_dropped_total',
  'bpf_sidecar_decode_errors_total',
  'bpf_sidecar_read_errors_total',
  'bpf_sidecar_load_errors_total',
];

export function figuresOf(history: History): Figure[] {
  const { latest, earlier } = history;
  if (!latest || !earlier) return [];
  const seconds = latest.at - earlier.at;
  const rate = (name: string) => {
    if (seconds === 0 || !latest.scrape.has(name)) return undefined;
    return Math.max(0, total(latest.scrape, name) - total(earlier.scrape, name)) / seconds;
  };
  return [
    { what: 'memory', value: format(total(latest.scrape, 'bpf_sidecar_resident_memory_bytes'), 'bytes') },
    { what: 'CPU', value: format(rate('bpf_sidecar_cpu_seconds_total'), 'ratio') },
    {
      what: 'time to answer a scrape',
      value: format(scrapeDuration(latest.scrape, earlier.scrape), 'seconds'),
    },
    { what: 'programs, of a CPU', value: format(rate('bpf_sidecar_program_run_seconds_total'), 'ratio') },
    { what: 'series', value: format(seriesOf(latest.scrape), 'count') },
  ];
}

function total(scrape: Scrape, name: string): number {
  let sum = 0;
  for (const { value } of scrape.get(name)?.series.values() ?? []) sum += value;
  return sum;
}

/** The mean since an earlier scrape. */
function scrapeDuration(now: Scrape, earlier: Scrape): number | undefined {
  const name = 'bpf_sidecar_scrape_duration_seconds';
  const [series] = now.get(name)?.series.values() ?? [];
  const [before] = earlier.get(name)?.series.values() ?? [];
  if (!series) return undefined;
  const began = bucketIncrease(before, series) === series.buckets;
  const [events, sum] =
    began || !before ? [series.value, series.sum] : [series.value - before.value, series.sum - before.sum];
  return events === 0 ? undefined : sum / events;
}

function seriesOf(scrape: Scrape): number {
  let count = 0;
  for (const { series } of scrape.values()) count += series.size;
  return count;
}
