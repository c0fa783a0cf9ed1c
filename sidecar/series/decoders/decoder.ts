import type { DecoderSpec } from '../../contract/label-spec.ts';
import type { ContainerCgroup } from '../../pod/containers.ts';

/**
 * Turns a part of a map's key into text. The first decoder of a label gets the key's bytes in host order
 * (little endian on both architectures), each other the text of the one before. The bytes are only valid
 * during the call. `undefined` drops the entry.
 */
export type Decoder = (input: Buffer | string) => string | undefined;

/** Makes a decoder for one label of one metric. */
export type CreateDecoder<Spec extends DecoderSpec = DecoderSpec> = (
  spec: Spec,
  context: DecoderContext,
) => Decoder;

/** What decoders know of the pod. */
export interface DecoderContext {
  /** Name of the container that a cgroup id belongs to; also answers for ids that it does not know. */
  containerName(cgroupId: bigint): string;
  /** Whether the series of a container are wanted (annotation `bpf.sh/containers`). */
  wantsContainer(name: string): boolean;
  /** The cgroups of the pod's containers, for the programs that look them up; left out where there are none. */
  containerCgroups?: () => Iterable<ContainerCgroup>;
  /** The kernel stacks in a map of the program, by number. Throws an Error when there is no such map. */
  stacks?(map: string): (id: number) => Buffer | undefined;
  /** A number that changes whenever one of the answers above may have changed. */
  generation(): number;
}

export function asBytes(input: Buffer | string): Buffer {
  return typeof input === 'string' ? Buffer.from(input) : input;
}

/** Bytes as UTF-8; what is not becomes U+FFFD. */
export function asText(input: Buffer | string): string {
  return typeof input === 'string' ? input : input.toString('utf8');
}

/** A string of C: what is before the first NUL, or all of it. */
export function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
