/** A query of a panel, and what its series are called. */
export interface Query {
  expr: string;
  legend: string;
}

/** What the queries of a dashboard have in common. */
export interface Scope {
  /** Matchers of the series that are looked at. */
  select: string;
  /** Labels by which there is a series each, whatever a query adds. */
  by: readonly string[];
  /** At most so many series at a time, the highest, where there could be hundreds. */
  top?: number;
}

export interface Refinement {
  /** Further labels by which there is a series each. */
  by?: readonly string[];
  /** Further matchers. */
  where?: string;
  /** What the series are called beside their labels. */
  as?: string;
  top?: number;
}

export type Queries = ReturnType<typeof queriesOf>;

/** Makers of the queries that dashboards are of. Counters are shown as rates only, over an interval that Grafana chooses. */
export function queriesOf(scope: Scope) {
  const by = (more: readonly string[]) => {
    const labels = [...scope.by, ...more];
    return labels.length === 0 ? '' : ` by (${labels.join(', ')}) `;
  };
  const series = (metric: string, where?: string) => `${metric}{${[scope.select, where].filter(Boolean)}}`;
  const sumOf = (operation: string) => (metric: string, labels: readonly string[], where?: string) =>
    `sum${by(labels)}(${operation}(${series(metric, where)}[$__rate_interval]))`;
  const [sumOfRates, sumOfIncreases] = [sumOf('rate'), sumOf('increase')];
  const query = (expr: string, { by: labels = [], as = '', top = scope.top }: Refinement): Query => ({
    expr: top === undefined ? expr : `topk(${top}, ${expr})`,
    legend: [...[...scope.by, ...labels].map((label) => `{{${label}}}`), as].filter(Boolean).join(' '),
  });
  const quantile = (metric: string, part: number, refinement: Refinement): Query =>
    query(
      `histogram_quantile(${part}, ${sumOfRates(`${metric}_bucket`, ['le', ...(refinement.by ?? [])], refinement.where)})`,
      { as: `p${part * 100}`, ...refinement },
    );

  return {
    /** Of a counter, per second. */
    rate: (metric: string, refinement: Refinement = {}): Query =>
      query(sumOfRates(metric, refinement.by ?? [], refinement.where), refinement),
    /** Of a counter of rare events: how many in an interval. */
    count: (metric: string, refinement: Refinement = {}): Query =>
      query(sumOfIncreases(metric, refinement.by ?? [], refinement.where), refinement),
    /** Of a gauge. */
    level: (metric: string, refinement: Refinement = {}, aggregate = 'sum'): Query =>
      query(`${aggregate}${by(refinement.by ?? [])}(${series(metric, refinement.where)})`, refinement),
    /** The part of a counter's rate that is also in `part`, 0 where there is nothing of that. */
    share(part: { metric: string; where?: string }, whole: string, refinement: Refinement = {}): Query {
      const labels = refinement.by ?? [];
      const all = sumOfRates(whole, labels, refinement.where);
      const where = [refinement.where, part.where].filter(Boolean).join();
      return query(`(${sumOfRates(part.metric, labels, where)} or 0 * ${all}) / ${all}`, refinement);
    },
    /** One gauge as a part of another, series by series. */
    fullness: (part: string, whole: string, refinement: Refinement = {}): Query =>
      query(`max${by(refinement.by ?? [])}(${series(part)} / ${series(whole)})`, refinement),
    quantile,
    quantiles: (metric: string, refinement: Refinement = {}): Query[] =>
      [0.5, 0.95, 0.99].map((part) => quantile(metric, part, refinement)),
    /** Of a histogram, for a heat map. */
    heat: (metric: string, where?: string): Query => ({
      expr: `sum by (le) (increase(${series(`${metric}_bucket`, where)}[$__rate_interval]))`,
      legend: '{{le}}',
    }),
  };
}

/** The names of the families in a query. */
export function familiesIn(expr: string): string[] {
  const names = [...expr.matchAll(/\bbpf_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
  return [...new Set(names)];
}
