import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { asBytes, type Decoder } from './decoder.ts';

/**
 * A u32 device number, as the kernel's `new_encode_dev` packs it, into the block device's name in /dev; else
 * `unknown:MAJOR:MINOR`. Not remembered: the kernel gives the numbers of unplugged devices to others.
 */
export function createMajorMinor(): Decoder {
  return (input) => {
    const device = asBytes(input).readUInt32LE();
    const major = (device >>> 8) & 0xfff;
    const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
    return findBlockDevice(`${major}:${minor}`) ?? `unknown:${major}:${minor}`;
  };
}

function findBlockDevice(number: string): string | undefined {
  try {
    // sysfs writes "!" for the "/" of names such as cciss/c0d0.
    return basename(readlinkSync(`/sys/dev/block/${number}`)).replaceAll('!', '/');
  } catch {
    return undefined;
  }
}
