/**
 * What one scrape yields, between reading maps and writing text. Series are made as they are gone through: between scrapes
 * they are rows of numbers, see SeriesTable.
 */

export type Family = ScalarFamily | StateSetFamily | SummaryFamily | HistogramFamily;

export type Series = ScalarSeries | SummarySeries | HistogramSeries;

interface FamilyHead {
  /** Full metric name, e.g. `bpf_syscalls_total`. */
  name: string;
  help: string;
  /** Unix time in seconds at which its counters, histograms and summaries were zero, where that is known. */
  created?: number;
}

export interface ScalarFamily extends FamilyHead {
  /** The name of an `info` ends with `_info`, and its values are 1. */
  type: 'counter' | 'gauge' | 'unknown' | 'info';
  /** Can be gone through more than once. */
  series: Iterable<ScalarSeries>;
}

export interface StateSetFamily extends FamilyHead {
  type: 'stateset';
  /** At most 32. */
  states: readonly string[];
  /** Can be gone through more than once. Bit i of a value is state i. */
  series: Iterable<ScalarSeries>;
}

export interface SummaryFamily extends FamilyHead {
  type: 'summary';
  /** Can be gone through more than once. */
  series: Iterable<SummarySeries>;
}

export interface HistogramFamily extends FamilyHead {
  type: 'histogram' | 'gaugehistogram';
  /** Upper bounds, ascending, without +Inf. */
  bounds: readonly number[];
  /** Can be gone through more than once. */
  series: Iterable<HistogramSeries>;
}

export interface ScalarSeries {
  /** Rendered label pairs, escaped, without braces: `container="web",syscall="write"`; may be empty. */
  labels: string;
  value: number;
}

export interface SummarySeries {
  labels: string;
  /** Observed values. */
  count: number;
  /** Their sum in the unit of the metric. */
  sum: number;
}

export interface HistogramSeries {
  labels: string;
  /** Events per bucket, not cumulative: one per bound, then those above the last bound. */
  counts: number[];
  /** Sum of the observed values in the unit of the bounds. */
  sum: number;
  /** Sparse, by bucket. */
  exemplars?: Exemplar[] | undefined;
}

/** An event of a bucket. */
export interface Exemplar {
  /** Rendered label pairs; may be empty. */
  labels: string;
  /** In the unit of the bounds. */
  value: number;
  /** Unix time in seconds. */
  time: number;
}
