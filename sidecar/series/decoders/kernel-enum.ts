import type { DecoderSpec } from '../../contract/label-spec.ts';
import { kernelEnum } from '../../libbpf/kernel-btf.ts';
import { asText, type Decoder } from './decoder.ts';

type KernelEnumSpec = Extract<DecoderSpec, { name: 'kernel_enum' }>;

/**
 * A number, as text (put `uint` before), into the name that the running kernel has for it, in small letters; a number
 * that it has no name for stays one.
 */
export function createKernelEnum({ enum: name, prefix }: KernelEnumSpec): Decoder {
  const names = new Map(
    kernelEnum(name).map(([value, constant]) => [
      String(value),
      (constant.startsWith(prefix) ? constant.slice(prefix.length) : constant).toLowerCase(),
    ]),
  );
  return (input) => {
    const number = asText(input);
    return names.get(number) ?? number;
  };
}
