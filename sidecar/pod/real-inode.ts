import { type BigIntStats, closeSync, openSync, statfsSync, statSync } from 'node:fs';
import { attempt } from '../attempt.ts';
import { lookupElement } from '../libbpf/map.ts';
import { withFirstPage } from '../libbpf/mapped.ts';
import { closeObject, findMap, loadObject, mapFd, openObject, setConstants } from '../libbpf/object.ts';
import { runProgram } from '../libbpf/run.ts';
import { readObject } from '../objects.ts';

/** <linux/magic.h> */
const OVERLAYFS_SUPER_MAGIC = 0x794c7630;

/** The kernel does not look where another thread of ours is just changing what is mapped. */
const attempts = 100;

/** What was found, for the kernel's answer takes some 30 ms. */
const known = new Map<string, string>();
const maxKnown = 1024;

/**
 * Tells files apart as uprobes do, which are attached to the inode below an overlay: containers whose images share a layer
 * have the same file there, and stat(2) gives each of their overlays a device of its own. Throws an Error when there is no
 * such file.
 */
export function inodeOf(path: string): string {
  const status = statSync(path, { bigint: true });
  if (statfsSync(path).type !== OVERLAYFS_SUPER_MAGIC) return `${status.dev}-${status.ino}`;
  // The inode below is another one once the file was written to, and was changed at another time then.
  const signature = signatureOf(status);
  const seen = `${status.dev}-${signature}`;
  let id = known.get(seen);
  if (id === undefined) {
    const real = attempt(() => readRealInode(path));
    id = real instanceof Error || real === undefined ? signature : real;
    if (known.size >= maxKnown) known.clear();
    known.set(seen, id);
  }
  return id;
}

/**
 * Where the kernel cannot tell (before Linux 5.17): an overlay gives the number, the size and the times of the inode below,
 * only not its device.
 */
export function signatureOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `overlay-${ino}-${size}-${mtimeNs}-${ctimeNs}`;
}

/** Of the inode that a file's pages come from; undefined when the kernel did not look. Throws a BpfError. */
function readRealInode(path: string): string | undefined {
  const object = openObject('real_inode', readObject('pod/real_inode'));
  const fd = openSync(path, 'r');
  try {
    return withFirstPage(fd, (address) => {
      setConstants(object, { address });
      loadObject(object);
      const map = findMap(object, 'found');
      for (let i = 0; i < attempts; i++) {
        runProgram(object.programs[0]!);
        const found = lookupElement(mapFd(map), Buffer.alloc(map.keySize), map.valueSize);
        const number = found.readBigUInt64LE(8);
        if (number !== 0n) return `${deviceNumber(found.readUInt32LE(0))}-${number}`;
      }
      return undefined;
    });
  } finally {
    closeSync(fd);
    closeObject(object);
  }
}

/** The kernel's own number of a device as stat(2) gives it (new_encode_dev of <linux/kdev_t.h>). */
function deviceNumber(device: number): number {
  const [major, minor] = [device >>> 20, device & 0xfffff];
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
