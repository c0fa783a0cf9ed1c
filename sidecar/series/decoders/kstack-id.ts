import { asBytes, type CreateDecoder, type Decoder } from './decoder.ts';

/**
 * The number that bpf_get_stackid gave to a kernel stack, into what `readStack` makes of the stack that the map has for it;
 * `no stack` for an error, and for a stack that another has taken the place of.
 */
export function createKstackId(readStack: Decoder): CreateDecoder<{ name: 'kstack_id'; map: string }> {
  return ({ map }, context) => {
    const stackOf = context.stacks?.(map);
    return (input) => {
      const stack = stackOf?.(asBytes(input).readInt32LE());
      return stack === undefined ? 'no stack' : readStack(stack);
    };
  };
}
