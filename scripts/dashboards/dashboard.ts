import type { Query } from './queries.ts';

/** A dashboard as it is written by hand: what Grafana wants beside that is in grafana.ts. */
export interface Dashboard {
  /** Its file, and with `bpf-sidecar-` before it its address in Grafana. */
  name: string;
  title: string;
  description: string;
  variables: readonly Variable[];
  /** Where a click on a series of a pod leads. */
  opens?: { title: string; url: string };
  rows: readonly Row[];
}

export interface Variable {
  name: string;
  /** Of which series the values of the label are offered. */
  of: string;
  /** Whether several values can be chosen: then it begins with all, which is this regular expression. */
  all?: string;
}

export interface Row {
  /** What its series come from, where that is a built-in probe: the title of the row. */
  probe?: string;
  title?: string;
  /** Whether it has to be opened: its queries run only then. */
  closed?: boolean;
  /** What is to be known of each of its panels. */
  note?: string;
  panels: readonly Panel[];
}

export interface Panel {
  title: string;
  /** As Grafana calls it. */
  unit: string;
  /** Lines by default. */
  show?: 'lines' | 'stacked' | 'heatmap' | 'number' | 'name' | 'table';
  queries: readonly Query[];
  /** What is to be known beside the meaning of the metrics. */
  note?: string;
  /** The words for numbers that mean something else. */
  words?: Readonly<Record<number, { text: string; color: 'green' | 'red' }>>;
}
