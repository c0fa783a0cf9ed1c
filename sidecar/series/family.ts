/**
 * What one scrape yields, between reading maps and writing text. Series objects live as long as their key is
 * in the map and are updated in place, so that a scrape of known series allocates nothing.
 */

export type Family = ScalarFamily | HistogramFamily;

interface FamilyHead {
  /** Full metric name, e.g. `bpf_syscalls_total`. */
  name: string;
  help: string;
}

export interface ScalarFamily extends FamilyHead {
  type: 'counter' | 'gauge' | 'unknown';
  /** Can be gone through more than once. */
  series: Iterable<ScalarSeries>;
}

export interface HistogramFamily extends FamilyHead {
  type: 'histogram';
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

export interface HistogramSeries {
  labels: string;
  /** Events per bucket, not cumulative: one per bound, then those above the last bound. */
  counts: number[];
  /** Sum of the observed values in the unit of the bounds. */
  sum: number;
}
