import { fail, integer, list, number, oneOf } from './checks.ts';

/**
 * Histogram buckets. Key k counts the events up to the k-th upper bound: 2^k for `exp2`; 0, then 2^(k-1) for
 * `exp2zero`; k for `linear` and `fixed`; all times the multiplier. The last key + 1 holds the sum (before
 * the multiplier), any key above counts events over the last bound.
 */
export interface Buckets {
  type: BucketType;
  /** Ascending. */
  keys: number[];
  multiplier: number;
}

export const bucketTypes = ['exp2', 'exp2zero', 'linear', 'fixed'] as const;
export type BucketType = (typeof bucketTypes)[number];

export const bucketFields = ['bucket_type', 'bucket_min', 'bucket_max', 'bucket_keys', 'bucket_multiplier'];

/** Digits in which keys must differ, so that their bounds do when printed with 15 digits. */
const keyDigits = 13;

export const bucketLimits = {
  buckets: 1000,
  /** Above this, neighbouring bounds could come out equal when printed with 15 digits. */
  key: 1e13,
  /** 2^64: no u64 is larger. */
  exponent: 64,
  multiplier: { min: 1e-18, max: 1e18 },
};

/** Checks the bucket fields of a histogram; see checks.ts for `at` and errors. */
export function parseBuckets(fields: Record<string, unknown>, at: string): Buckets {
  const type = oneOf(fields.bucket_type, `${at}.bucket_type`, bucketTypes);
  const multiplier = parseMultiplier(fields.bucket_multiplier, `${at}.bucket_multiplier`);
  const fixed = type === 'fixed';
  if (fixed) ignoreRange(fields, at);
  else if (fields.bucket_keys !== undefined)
    fail(`${at}.bucket_keys`, `bucket_type ${type} does not have this field`);
  return { type, keys: fixed ? fixedKeys(fields, at) : keyRange(type, fields, at), multiplier };
}

/** What a sum is multiplied with to come to the unit of the metric; 1 when left out. */
export function parseMultiplier(value: unknown, at: string): number {
  const { min, max } = bucketLimits.multiplier;
  const multiplier = value === undefined ? 1 : value;
  return number(multiplier, at, min, max);
}

/** The schema of ebpf_exporter demands a range of every histogram, also where the keys are given. */
function ignoreRange(fields: Record<string, unknown>, at: string): void {
  for (const field of ['bucket_min', 'bucket_max'])
    if (fields[field] !== undefined) integer(fields[field], `${at}.${field}`, 0, bucketLimits.key);
}

function fixedKeys(fields: Record<string, unknown>, at: string): number[] {
  const place = `${at}.bucket_keys`;
  const keys = list(fields.bucket_keys, place, [1, bucketLimits.buckets], (value, itemAt) =>
    number(value, itemAt, 0, bucketLimits.key),
  );
  const index = keys.findIndex((key, i) => i > 0 && Number(key.toPrecision(keyDigits)) <= keys[i - 1]!);
  if (index > 0)
    fail(`${place}[${index}]`, `must be larger than ${keys[index - 1]}, because the keys ascend`);
  return keys;
}

function keyRange(type: BucketType, fields: Record<string, unknown>, at: string): number[] {
  const largest = type === 'linear' ? bucketLimits.key : bucketLimits.exponent;
  const min =
    fields.bucket_min === undefined ? 0 : integer(fields.bucket_min, `${at}.bucket_min`, 0, largest);
  const max = integer(
    fields.bucket_max,
    `${at}.bucket_max`,
    min,
    Math.min(largest, min + bucketLimits.buckets - 1),
  );
  return Array.from({ length: max - min + 1 }, (_, index) => min + index);
}
