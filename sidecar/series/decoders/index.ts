import type { DecoderName, DecoderSpec } from '../../contract/label-spec.ts';
import { createCgroup } from './cgroup.ts';
import type { CreateDecoder, Decoder, DecoderContext } from './decoder.ts';
import { createDname } from './dname.ts';
import { createEndpoint } from './endpoint.ts';
import { createErrno } from './errno.ts';
import { createHex } from './hex.ts';
import { createIfname } from './ifname.ts';
import { createInetIp } from './inet-ip.ts';
import { createInt } from './int.ts';
import { createKernelEnum } from './kernel-enum.ts';
import { readKernelSymbols } from './kernel-symbols.ts';
import { createKstack } from './kstack.ts';
import { createKstackId } from './kstack-id.ts';
import { createKsym } from './ksym.ts';
import { createMajorMinor } from './majorminor.ts';
import { once } from './once.ts';
import { createPciClass } from './pci-class.ts';
import { createPciDevice } from './pci-device.ts';
import { pciIdsPaths, readPciIds } from './pci-ids.ts';
import { createPciSubclass } from './pci-subclass.ts';
import { createPciVendor } from './pci-vendor.ts';
import { createRegexp } from './regexp.ts';
import { createStaticMap } from './static-map.ts';
import { createString } from './string.ts';
import { createSyscall } from './syscall.ts';
import { createUint } from './uint.ts';

/** Megabytes each: only for who needs them, and then shared by all labels. */
const kernelSymbols = once(() => readKernelSymbols('/proc/kallsyms'));
const pciIds = once(() => readPciIds(pciIdsPaths));

/** Those that need kernelSymbols. */
export const symbolDecoders: readonly DecoderName[] = ['kstack', 'kstack_id', 'ksym'];

const creators: { [Name in DecoderName]: CreateDecoder<Extract<DecoderSpec, { name: Name }>> } = {
  cgroup: createCgroup,
  dname: createDname,
  endpoint: createEndpoint,
  errno: createErrno,
  hex: createHex,
  ifname: createIfname,
  inet_ip: createInetIp,
  int: createInt,
  kernel_enum: createKernelEnum,
  kstack: () => createKstack(kernelSymbols),
  kstack_id: createKstackId(createKstack(kernelSymbols)),
  ksym: () => createKsym(kernelSymbols),
  majorminor: createMajorMinor,
  pci_class: () => createPciClass(pciIds),
  pci_device: () => createPciDevice(pciIds),
  pci_subclass: () => createPciSubclass(pciIds),
  pci_vendor: () => createPciVendor(pciIds),
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
