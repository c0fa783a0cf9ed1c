import { frameSize } from '../../contract/label-spec.ts';
import { asBytes, type Decoder } from './decoder.ts';
import type { KernelSymbols } from './kernel-symbols.ts';

/**
 * A kernel stack as bpf_get_stack writes it, u64 addresses up to the first zero, into the functions that they
 * are in, a line each; `??` for an address that is in none.
 */
export function createKstack(symbols: () => KernelSymbols): Decoder {
  return (input) => {
    const bytes = asBytes(input);
    const lines: string[] = [];
    for (let at = 0; at + frameSize <= bytes.length; at += frameSize) {
      const address = bytes.readBigUInt64LE(at);
      if (address === 0n) break;
      lines.push(symbols().around(address) ?? '??');
    }
    return lines.join('\n');
  };
}
