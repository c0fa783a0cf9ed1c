import type { DecoderSpec } from '../../../../sidecar/contract/label-spec.ts';
import type { DecoderContext } from '../../../../sidecar/series/decoders/decoder.ts';
import { chainDecoders } from '../../../../sidecar/series/decoders/index.ts';

const context: DecoderContext = {
  containerName: (id) => `container-${id}`,
  wantsContainer: (name) => name !== 'container-13',
  generation: () => 0,
};

/** What a label with these decoders makes of a key's bytes, given in hexadecimal with spaces where they help. */
export function decode(hex: string, ...decoders: (DecoderSpec | string)[]): string | undefined {
  const specs = decoders.map((spec) => (typeof spec === 'string' ? { name: spec } : spec) as DecoderSpec);
  return chainDecoders(specs, context)(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}
