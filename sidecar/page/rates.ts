import type { Family, Series } from './scrape.ts';

/** What is counted up since the sidecar began. */
export function isCounter({ type }: Family): boolean {
  return type === 'counter';
}

export function isHistogram({ type }: Family): boolean {
  return type === 'histogram';
}

/** A counter that is lower than before has begun anew, and one that was not there has begun at zero. */
export function increase(before: number | undefined, now: number): number {
  return before === undefined || now < before ? now : now - before;
}

/** The events up to each bound since an earlier scrape, in which the histogram may not have been. */
export function bucketIncrease(before: Series | undefined, now: Series): number[] {
  const began =
    before === undefined || now.value < before.value || before.buckets.length !== now.buckets.length;
  return began ? now.buckets : now.buckets.map((count, index) => Math.max(0, count - before.buckets[index]!));
}

/** Events of each bucket alone, of events up to each bound. */
export function apart(upTo: readonly number[]): number[] {
  return upTo.map((count, index) => Math.max(0, count - (upTo[index - 1] ?? 0)));
}

/** Adds numbers to others in place. */
export function addTo(sums: number[], more: readonly number[]): void {
  for (let index = 0; index < more.length; index++) sums[index] = (sums[index] ?? 0) + more[index]!;
}
