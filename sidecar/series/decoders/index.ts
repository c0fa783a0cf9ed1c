import type { DecoderName, DecoderSpec } from '../../contract/label-spec.ts';
import { createCgroup } from './cgroup.ts';
import type { CreateDecoder, Decoder, DecoderContext } from './decoder.ts';
import { createErrno } from './errno.ts';
import { createHex } from './hex.ts';
import { createIfname } from './ifname.ts';
import { createInetIp } from './inet-ip.ts';
import { createRegexp } from './regexp.ts';
import { createStaticMap } from './static-map.ts';
import { createString } from './string.ts';
import { createSyscall } from './syscall.ts';
import { createUint } from './uint.ts';

const creators: { [Name in DecoderName]: CreateDecoder<Extract<DecoderSpec, { name: Name }>> } = {
  cgroup: createCgroup,
  errno: createErrno,
  hex: createHex,
  ifname: createIfname,
  inet_ip: createInetIp,
  regexp: createRegexp,
  static_map: createStaticMap,
  string: createString,
  syscall: () => createSyscall(),
  uint: createUint,
};

/** All decoders of a label as one. */
export function chainDecoders(specs: readonly DecoderSpec[], context: DecoderContext): Decoder {
  const chain = specs.map((spec) => (creators[spec.name] as CreateDecoder)(spec, context));
  return (input) => {
    let output: Buffer | string | undefined = input;
    for (const decode of chain) {
      output = decode(output);
      if (output === undefined) return undefined;
    }
    return output as string;
  };
}
