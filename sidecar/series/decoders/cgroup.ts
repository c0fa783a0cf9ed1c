import type { DecoderSpec } from '../../contract/label-spec.ts';
import type { Decoder, DecoderContext } from './decoder.ts';

type CgroupSpec = Extract<DecoderSpec, { name: 'cgroup' }>;

/**
 * A cgroup id, as bytes or as the text that `uint` makes of it, into the name of its container. Drops the
 * entries of containers whose series are not wanted.
 */
export function createCgroup({ lowBits }: CgroupSpec, context: DecoderContext): Decoder {
  return (input) => {
    const name = context.containerName(lowBits ? wholeId(low(input), context) : whole(input));
    return context.wantsContainer(name) ? name : undefined;
  };
}

function whole(input: Buffer | string): bigint {
  return typeof input === 'string' ? BigInt(input) : input.readBigUInt64LE();
}

function low(input: Buffer | string): bigint {
  return typeof input === 'string' ? BigInt(input) : BigInt(input.readUInt32LE());
}

/** The id of the pod's cgroup that has these low bits; the kernel counts up the high ones when the low ones are used up. */
function wholeId(bits: bigint, { containerCgroups }: DecoderContext): bigint {
  for (const { id } of containerCgroups?.() ?? []) if (BigInt.asUintN(32, id) === bits) return id;
  return bits;
}
