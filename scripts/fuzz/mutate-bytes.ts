import type { Random } from './random.ts';

const interesting = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 24, 64, 4096];

/** A copy of some bytes with a few of them changed, cut off, doubled or moved. */
export function mutateBytes(bytes: Buffer, random: Random): Buffer {
  let mutant: Buffer = Buffer.from(bytes);
  for (let changes = 1 + random.below(6); changes > 0 && mutant.length > 8; changes--)
    mutant = change(mutant, random);
  return mutant;
}

function change(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length - 4);
  switch (random.below(16)) {
    case 0:
      return bytes.subarray(0, at);
    case 1: {
      const length = random.below(Math.min(256, bytes.length - at));
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    }
    case 2: {
      const from = random.below(bytes.length - 4);
      bytes.copy(bytes, at, from, Math.min(bytes.length, from + 64));
      return bytes;
    }
    case 3:
    case 4:
    case 5:
    case 6:
      bytes.writeUInt32LE(random.pick(interesting), at);
      return bytes;
    default:
      bytes[at] = random.below(256);
      return bytes;
  }
}
