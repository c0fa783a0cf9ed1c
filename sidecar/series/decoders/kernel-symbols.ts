import { readLines } from '../../read-lines.ts';

/** The names of the kernel's functions. */
export interface KernelSymbols {
  /** The function that begins at an address. */
  at(address: bigint): string | undefined;
  /** The function that an address is in: the one that begins last before it. */
  around(address: bigint): string | undefined;
}

/** Several times what a kernel has with all its modules. */
const limits = { fileBytes: 2 ** 26, functions: 2 ** 19, nameBytes: 2 ** 24 };

/** `ffffffff81000000 T _text`; only functions, and not the padding before them, which doubles their number. */
const shape = /^([0-9a-f]+) [tTwW] (?!__pfx_)(\S+)/;

/**
 * Reads the functions of /proc/kallsyms, or a file like it. Knows none when there is no such file, or when the
 * kernel hides the addresses and shows zeros (`kernel.kptr_restrict`).
 */
export function readKernelSymbols(path: string): KernelSymbols {
  // Not objects, which would take several times the memory. Pages that are not written to take none.
  const addresses = new BigUint64Array(limits.functions);
  const names = Buffer.alloc(limits.nameBytes);
  const ends = new Uint32Array(limits.functions);
  let count = 0;
  let end = 0;
  for (const [address, name] of readFunctions(path)) {
    if (count === limits.functions) break;
    addresses[count] = address;
    end += names.write(name, end);
    ends[count++] = end;
  }
  return createLookup(addresses.slice(0, count), Buffer.copyBytesFrom(names, 0, end), ends.slice(0, count));
}

/** The functions of /proc/kallsyms, or a file like it, by its path or open, in the file's order. */
export function* readFunctions(file: string | number): Generator<[address: bigint, name: string]> {
  try {
    for (const line of readLines(file, limits.fileBytes)) {
      const [, digits, name] = shape.exec(line) ?? [];
      if (name === undefined) continue;
      const address = BigInt(`0x${digits}`);
      if (address !== 0n) yield [address, name];
    }
  } catch {
    // A kernel without CONFIG_KALLSYMS: what could not be read stays unknown.
  }
}

function createLookup(addresses: BigUint64Array, names: Buffer, ends: Uint32Array): KernelSymbols {
  // Stable: of several names for one address the first stays first, as the kernel itself chooses.
  const order = ends.map((_, index) => index).sort((a, b) => compare(addresses[a]!, addresses[b]!));
  const sorted = addresses.map((_, index) => addresses[order[index]!]!);
  const nameOf = (index: number) => {
    const name = order[index];
    return name === undefined ? undefined : names.toString('utf8', ends[name - 1] ?? 0, ends[name]);
  };
  return {
    at(address) {
      const index = lowerBound(sorted, address);
      return sorted[index] === address ? nameOf(index) : undefined;
    },
    around(address) {
      const index = lowerBound(sorted, address);
      if (sorted[index] === address) return nameOf(index);
      const begin = sorted[index - 1];
      // The first of the names of an address, as `at` gives.
      return begin === undefined ? undefined : nameOf(lowerBound(sorted, begin));
    },
  };
}

/** Index of the first item that is not less than `value`. */
function lowerBound(sorted: BigUint64Array, value: bigint): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
