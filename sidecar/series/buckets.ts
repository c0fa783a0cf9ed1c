import type { Buckets, BucketType } from '../contract/bucket-spec.ts';

const upperBounds: Record<BucketType, (key: number) => number> = {
  exp2: (key) => 2 ** key,
  exp2zero: (key) => (key === 0 ? 0 : 2 ** (key - 1)),
  linear: (key) => key,
  fixed: (key) => key,
};

/** Upper bounds in the unit of the metric: ascending, without the noise of binary fractions, without +Inf. */
export function bucketBounds({ type, keys, multiplier }: Buckets): number[] {
  return keys.map((key) => Number((upperBounds[type](key) * multiplier).toPrecision(15)));
}

/** Where an event of a bucket key is counted: the index of its bucket, `keys.length` when over the last. */
export type BucketIndex = number | 'sum';

/**
 * Finds the place of a bucket key. A key that is not listed belongs to the next one above, whose bound is the
 * first that its events do not exceed.
 */
export function createBucketFinder({ keys }: Buckets): (key: number) => BucketIndex {
  const lastKey = keys.at(-1)!;
  return (key) => {
    if (key === lastKey + 1) return 'sum';
    if (key > lastKey) return keys.length;
    let low = 0;
    let high = keys.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/**
 * Multiplies by a bucket multiplier. Where that is one over a whole number (1e-9), division gives the nearest
 * double and so the short decimal: 18239 becomes 0.018239, not 0.018238999999999999.
 */
export function createScale(multiplier: number): (value: number) => number {
  const divisor = Math.round(1 / multiplier);
  return 1 / divisor === multiplier ? (value) => value / divisor : (value) => value * multiplier;
}
