import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readStacks } from '../../../sidecar/profile/stacks.ts';

const [keySize, valueSize] = [32, 8 + 64 * 8 + 64 * 32];
const userStart = 8 + 64 * 8;

function keyOf(container: bigint, command: string): Buffer {
  const key = Buffer.alloc(keySize);
  key.writeBigUInt64LE(container, 0);
  key.writeBigUInt64LE(0x1234n, 8);
  key.write(command, 16, 16, 'latin1');
  return key;
}

type User = { status: number; buildId?: string; address: bigint };

/** struct stack of bpf/profile.bpf.c. */
function stackValue(samples: bigint, kernel: readonly bigint[], user: readonly User[]): Buffer {
  const value = Buffer.alloc(valueSize);
  value.writeBigUInt64LE(samples, 0);
  for (const [index, address] of kernel.entries()) value.writeBigUInt64LE(address, 8 + 8 * index);
  for (const [index, { status, buildId = '', address }] of user.entries()) {
    const at = userStart + 32 * index;
    value.writeInt32LE(status, at);
    value.write(buildId, at + 4, 'hex');
    value.writeBigUInt64LE(address, at + 24);
  }
  return value;
}

function read(...entries: readonly [key: Buffer, value: Buffer][]) {
  return [
    ...readStacks({
      count: entries.length,
      keys: Buffer.concat(entries.map(([key]) => key)),
      values: Buffer.concat(entries.map(([, value]) => value)),
      ...{ keySize, valueSize, copies: 1 },
    }),
  ];
}

test('the frames of the kernel come before those of user space, each of its kind', () => {
  const buildId = 'ab'.repeat(20);
  const user = [
    { status: 1, buildId, address: 0x1000n },
    { status: 2, address: 0x7f00n },
  ];
  assert.deepEqual(read([keyOf(5n, 'sh'), stackValue(3n, [0xffff_ffff_8100_0000n], user)]), [
    {
      ...{ container: 5n, command: 'sh', samples: 3 },
      frames: [
        { kind: 'kernel', address: 0xffff_ffff_8100_0000n },
        { kind: 'file', buildId, offset: 0x1000n },
        { kind: 'memory', address: 0x7f00n },
      ],
    },
  ]);
});

test('several entries are several stacks, also without any frame, and with as many as there is room for', () => {
  const kernel = Array.from({ length: 64 }, (_, index) => BigInt(index + 1));
  const user = kernel.map((address) => ({ status: 2, address }));
  const command = 'x'.repeat(16);
  const stacks = read(
    [keyOf(1n, ''), stackValue(1n, [], [])],
    [keyOf(2n, command), stackValue(2n, kernel, user)],
  );
  assert.deepEqual(
    stacks.map((stack) => [stack.command, stack.samples, stack.frames.length]),
    [
      ['', 1, 0],
      [command, 2, 128],
    ],
  );
});

test('a build id that is shorter than SHA-1 is told without the zeros behind it', () => {
  const user = [{ status: 1, buildId: `${'00'}${'cd'.repeat(15)}`, address: 1n }];
  const [stack] = read([keyOf(1n, 'sh'), stackValue(1n, [], user)]);
  assert.deepEqual(stack!.frames, [{ kind: 'file', buildId: `00${'cd'.repeat(15)}`, offset: 1n }]);
});

test('a stack of user space ends where an address is in no mapping, which the kernel takes for one before a file', () => {
  const buildId = 'ab'.repeat(20);
  const user = [0x1000n, 0xffff_aa23_e3d9_9000n, 0x2000n].map((address) => ({ status: 1, buildId, address }));
  const [stack] = read([keyOf(1n, 'sh'), stackValue(1n, [], user)]);
  assert.deepEqual(stack!.frames, [{ kind: 'file', buildId, offset: 0x1000n }]);
});

test('a map of another layout is refused', () => {
  const entries = { count: 0, keys: Buffer.alloc(0), values: Buffer.alloc(0), copies: 1 };
  assert.throws(() => [...readStacks({ ...entries, keySize: 8, valueSize: 8 })], {
    message: 'stacks of 8 and 8 bytes cannot be read',
  });
});
