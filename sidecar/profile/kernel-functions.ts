import { setImmediate } from 'node:timers/promises';
import { readFunctions } from '../series/decoders/kernel-symbols.ts';

/** Functions that are read before others get their turn: some 2 ms. */
const turn = 2_000;

/**
 * The function that each of these addresses is in, as the open /proc/kallsyms tells, or a file like it, which is closed:
 * the one that begins last before it. Empty when the kernel hides its addresses. Keeps nothing else in memory.
 */
export async function nameKernelFunctions(
  file: number,
  addresses: Iterable<bigint>,
): Promise<Map<bigint, string>> {
  const wanted = BigUint64Array.from(new Set(addresses)).sort();
  // Of the functions between an address and the one before it, the last; it may serve for those above as well.
  const last: ({ begin: bigint; name: string } | undefined)[] = Array(wanted.length);
  let read = 0;
  for (const [begin, name] of readFunctions(file)) {
    if (++read % turn === 0) await setImmediate();
    const index = firstFrom(wanted, begin);
    // Of several names for one address the first, as the kernel itself chooses.
    if (index < wanted.length && begin > (last[index]?.begin ?? -1n)) last[index] = { begin, name };
  }
  const names = new Map<bigint, string>();
  let current: string | undefined;
  for (const [index, address] of wanted.entries()) {
    current = last[index]?.name ?? current;
    if (current !== undefined) names.set(address, current);
  }
  return names;
}

/** Index of the first of sorted numbers that is not less than `least`. */
function firstFrom(sorted: BigUint64Array, least: bigint): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
