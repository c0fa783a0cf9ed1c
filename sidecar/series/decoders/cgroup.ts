import type { DecoderSpec } from '../../contract/label-spec.ts';
import type { Decoder, DecoderContext } from './decoder.ts';

/**
 * A u64 cgroup id, as bytes or as the text that `uint` makes of it, into the name of its container. Drops the
 * entries of containers whose series are not wanted.
 */
export function createCgroup(_: DecoderSpec, context: DecoderContext): Decoder {
  return (input) => {
    const name = context.containerName(typeof input === 'string' ? BigInt(input) : input.readBigUInt64LE());
    return context.wantsContainer(name) ? name : undefined;
  };
}
