import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decode } from './decode.ts';

/** A device number as the kernel's new_encode_dev packs it, in a u32. */
function device(major: number, minor: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0);
  return bytes.toString('hex');
}

test('majorminor names the block devices of this machine', () => {
  const partitions = [...readFileSync('/proc/partitions', 'utf8').matchAll(/^ *(\d+) +(\d+) +\d+ (\S+)$/gm)];
  assert.ok(partitions.length > 0);
  for (const [, major, minor, name] of partitions) {
    assert.equal(decode(device(Number(major), Number(minor)), 'majorminor'), name);
    assert.equal(decode(`${device(Number(major), Number(minor))} ffffffff`, 'majorminor'), name);
  }
});

test('majorminor marks a device that is not there with its numbers', () => {
  assert.equal(decode('10 88 00 00', 'majorminor'), 'unknown:136:16');
  assert.equal(decode(device(0xabc, 0x12345), 'majorminor'), 'unknown:2748:74565');
  assert.equal(decode('ffffffff', 'majorminor'), 'unknown:4095:1048575');
});
