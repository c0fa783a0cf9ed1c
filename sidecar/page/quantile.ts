/**
 * The quantile of buckets, as PromQL's histogram_quantile estimates it: linear within a bucket, and the highest finite
 * bound for what lies above. `counts` are of the events up to each bound. Undefined when nothing was observed.
 */
export function quantile(
  share: number,
  bounds: readonly number[],
  counts: readonly number[],
): number | undefined {
  const total = counts.at(-1) ?? 0;
  if (total === 0) return undefined;
  const rank = share * total;
  const index = counts.findIndex((count) => count >= rank);
  const [lower, below] = index === 0 ? [0, 0] : [bounds[index - 1]!, counts[index - 1]!];
  if (bounds[index] === Number.POSITIVE_INFINITY) return lower;
  return lower + ((bounds[index]! - lower) * (rank - below)) / (counts[index]! - below);
}
