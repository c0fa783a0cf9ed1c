const multipliers = new Map([
  ['', 1],
  ['k', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['P', 1e15],
  ['E', 1e18],
  ['Ki', 2 ** 10],
  ['Mi', 2 ** 20],
  ['Gi', 2 ** 30],
  ['Ti', 2 ** 40],
  ['Pi', 2 ** 50],
  ['Ei', 2 ** 60],
]);

/** Divided by, because a product with 0.001 is rounded: only a quotient makes `100m` equal to `0.1`. */
const divisors = new Map([
  ['m', 1e3],
  ['u', 1e6],
  ['n', 1e9],
]);

/**
 * The number that a Kubernetes resource quantity stands for (cores, bytes); NaN for what is none. See
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export function quantityValue(quantity: unknown): number {
  if (typeof quantity !== 'string' && typeof quantity !== 'number') return Number.NaN;
  const [, digits, suffix = ''] = /^([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)([A-Za-z]*)$/.exec(`${quantity}`) ?? [];
  const number = Number(digits);
  const divisor = divisors.get(suffix);
  return divisor === undefined ? number * (multipliers.get(suffix) ?? Number.NaN) : number / divisor;
}
