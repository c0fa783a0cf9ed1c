import { type BpfObject, hasConstant, setConstants, setVariable } from '../libbpf/object.ts';
import { readLines } from '../read-lines.ts';

/** Several times what a kernel has with all its modules. */
const maxBytes = 2 ** 26;

/**
 * Writes the addresses of kernel symbols to the variables `kaddr_<symbol>` of an object that is not loaded yet.
 * Throws an Error of one sentence for a symbol that the kernel or a variable that the object does not have.
 */
export function setKernelAddresses(object: BpfObject, symbols: readonly string[]): void {
  if (symbols.length === 0) return;
  for (const [symbol, address] of findKernelAddresses(symbols, '/proc/kallsyms')) {
    // Parts of a name that the compiler adds, such as `.isra.0`, are none in C.
    const name = `kaddr_${symbol.replaceAll('.', '_')}`;
    if (hasConstant(object, name)) setConstants(object, { [name]: address });
    else setVariable(object, name, address);
  }
}

/** Looks symbols up in /proc/kallsyms, or a file like it. Throws as setKernelAddresses. */
export function findKernelAddresses(symbols: readonly string[], path: string): Map<string, bigint> {
  const addresses = new Map<string, bigint>();
  for (const line of readLines(path, maxBytes)) {
    const [digits, , name] = line.split(/[ \t]/, 3);
    // Of several symbols of a name the first, which is the kernel's own and not a module's.
    if (name !== undefined && symbols.includes(name) && !addresses.has(name))
      addresses.set(name, BigInt(`0x${digits}`));
    if (addresses.size === symbols.length) break;
  }
  for (const symbol of symbols) {
    const address = addresses.get(symbol);
    if (address === undefined)
      throw new Error(`kaddrs: the kernel has no symbol "${symbol}"; see ${path} for those it has`);
    if (address === 0n)
      throw new Error(
        `kaddrs: the kernel hides the address of "${symbol}"; set kernel.kptr_restrict to 1 and give the sidecar CAP_SYSLOG`,
      );
  }
  return addresses;
}
