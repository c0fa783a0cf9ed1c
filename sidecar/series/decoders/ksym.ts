import { asBytes, type Decoder } from './decoder.ts';
import type { KernelSymbols } from './kernel-symbols.ts';

/** A u64 address into the name of the kernel function that begins there; else `unknown_addr:0xADDRESS`. */
export function createKsym(symbols: () => KernelSymbols): Decoder {
  return (input) => {
    const address = asBytes(input).readBigUInt64LE();
    return symbols().at(address) ?? `unknown_addr:0x${address.toString(16)}`;
  };
}
