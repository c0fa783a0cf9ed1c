import type { MapEntries } from '../maps/entries.ts';
import { untilNul } from '../series/decoders/decoder.ts';

/** A function that a sample was in, or one that called it. */
export type Frame =
  /** Of the kernel. */
  | { kind: 'kernel'; address: bigint }
  /** Of a file that has a build id, at an offset of that file. */
  | { kind: 'file'; buildId: string; offset: bigint }
  /** Of memory that is no such file, for instance compiled at run time. */
  | { kind: 'memory'; address: bigint };

/** Samples with the same stack, of the same command in the same container. */
export interface Stack {
  container: bigint;
  command: string;
  samples: number;
  /** Innermost first. */
  frames: Frame[];
}

/** More than any file has; the offsets in files are below. */
export const fileSpace = 2n ** 40n;

/** How bpf/profile.bpf.c has them: struct stack_key, struct stack, struct bpf_stack_build_id. */
const key = { container: 0, command: 16, size: 32 };
const value = { samples: 0, kernel: 8, kernelFrames: 64, userFrames: 64 };
const user = { buildId: 4, buildIdSize: 20, address: 24, size: 32 };
const userStart = value.kernel + 8 * value.kernelFrames;
const valueSize = userStart + user.size * value.userFrames;

/** BPF_STACK_BUILD_ID_* of <linux/bpf.h>. */
const status = { empty: 0, valid: 1 };

/** What one read of the map `stacks` has. */
export function* readStacks({ count, keys, values, ...sizes }: MapEntries): Generator<Stack> {
  if (sizes.keySize !== key.size || sizes.valueSize !== valueSize)
    throw new Error(`stacks of ${sizes.keySize} and ${sizes.valueSize} bytes cannot be read`);
  for (let index = 0; index < count; index++) {
    const ofKey = keys.subarray(index * key.size, (index + 1) * key.size);
    const ofValue = values.subarray(index * valueSize, (index + 1) * valueSize);
    yield {
      container: ofKey.readBigUInt64LE(key.container),
      command: untilNul(ofKey.subarray(key.command)).toString('utf8'),
      samples: Number(ofValue.readBigUInt64LE(value.samples)),
      frames: [...kernelFrames(ofValue), ...userFrames(ofValue)],
    };
  }
}

function* kernelFrames(stack: Buffer): Generator<Frame> {
  for (let at = value.kernel; at < userStart; at += 8) {
    const address = stack.readBigUInt64LE(at);
    if (address === 0n) return;
    yield { kind: 'kernel', address };
  }
}

function* userFrames(stack: Buffer): Generator<Frame> {
  for (let at = userStart; at < valueSize; at += user.size) {
    const found = stack.readInt32LE(at);
    const address = stack.readBigUInt64LE(at + user.address);
    if (found === status.empty) return;
    // The kernel takes an address that is in no mapping for one of the next mapping, before whose file it is then. It comes
    // of code without frame pointers, and what is further out is as wrong.
    if (found === status.valid && address >= fileSpace) return;
    // Build ids that are shorter are filled with zeros.
    const id = stack.toString('hex', at + user.buildId, at + user.buildId + user.buildIdSize);
    if (found === status.valid) yield { kind: 'file', buildId: id.replace(/(00)+$/, ''), offset: address };
    else if (address !== 0n) yield { kind: 'memory', address };
  }
}
