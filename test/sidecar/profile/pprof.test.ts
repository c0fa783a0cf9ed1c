import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encodeProfile, type Recording } from '../../../sidecar/profile/pprof.ts';
import type { Frame, Stack } from '../../../sidecar/profile/stacks.ts';
import { createTally } from '../../../sidecar/profile/tally.ts';
import { decodeProfile } from '../../support/profile.ts';

const kernel = (address: bigint): Frame => ({ kind: 'kernel', address });
const file = (buildId: string, offset: bigint): Frame => ({ kind: 'file', buildId, offset });
const memory = (address: bigint): Frame => ({ kind: 'memory', address });
const stack = (samples: number, ...frames: Frame[]): Stack => ({
  container: 1n,
  command: 'sh',
  samples,
  frames,
});

function recordingOf(stacks: Stack[], room = { stacks: 100, frames: 100 }): Recording {
  const tally = createTally((id) => `c${id}`, room);
  for (const stack of stacks) tally.add(stack);
  return { ...tally.result(), began: 1_700_000_000_123, duration: 5e9, period: 100, comments: [] };
}

/** Functions of the kernel are of 16 bytes. */
const functionAt = (address: bigint) => (address < 0x100n ? `f${address / 16n}` : undefined);
const decoded = (recording: Recording) => decodeProfile(gzipSync(encodeProfile(recording, functionAt)));
const countsOf = (recording: Recording) => decoded(recording).samples.map(({ values }) => values[0]);

test('a profile tells when it began, how long it lasted, and what is to be known', () => {
  const profile = decoded({ ...recordingOf([]), comments: ['3 samples are missing', 'é'] });
  assert.equal(profile.beganNanos, '1700000000123000000');
  assert.equal(profile.durationNanos, 5e9);
  assert.equal(profile.period, 100);
  assert.deepEqual(profile.comments, ['3 samples are missing', 'é']);
  assert.deepEqual(profile.samples, []);
});

test('a sample has its value, its labels and its frames, the innermost first', () => {
  const { samples } = decoded(recordingOf([stack(7, kernel(0x25n), file('ab', 0x1234n), memory(0x7fffn))]));
  assert.deepEqual(samples, [
    {
      values: [7, 700],
      labels: { container: 'c1', command: 'sh' },
      frames: [
        {
          address: '0x0',
          functions: ['f2'],
          mapping: { start: '0x0', limit: '0x0', offset: '0x0', file: '[kernel.kallsyms]', buildId: '' },
        },
        {
          address: '0x10000001234',
          functions: [],
          mapping: {
            ...{ start: '0x10000001000', limit: '0x10000002000', offset: '0x1000' },
            ...{ file: '', buildId: 'ab' },
          },
        },
        { address: '0x7fff', functions: [], mapping: null },
      ],
    },
  ]);
});

test('a file is mapped from the first page to the last that there are frames in, apart from others', () => {
  const frames = [file('ab', 0x5fffn), file('cd', 0x5000n), file('ab', 0x3000n), file('ab', 0x4001n)];
  const { samples } = decoded(recordingOf([stack(1, ...frames)]));
  assert.deepEqual(
    samples[0]!.frames.map(({ address, mapping }) => [
      address,
      mapping!.start,
      mapping!.limit,
      mapping!.offset,
    ]),
    [
      ['0x10000005fff', '0x10000003000', '0x10000006000', '0x3000'],
      ['0x20000005000', '0x20000005000', '0x20000006000', '0x5000'],
      ['0x10000003000', '0x10000003000', '0x10000006000', '0x3000'],
      ['0x10000004001', '0x10000003000', '0x10000006000', '0x3000'],
    ],
  );
});

test("the kernel's functions are told without an address, and one that is unknown as the kernel", () => {
  const recording = recordingOf([stack(1, kernel(0x21n), kernel(0xffff_ffff_8100_0000n))]);
  const [sample] = decoded(recording).samples;
  assert.deepEqual(
    sample!.frames.map(({ address, functions }) => [address, functions]),
    [
      ['0x0', ['f2']],
      ['0x0', ['[kernel]']],
    ],
  );
  assert.ok(!encodeProfile(recording, functionAt).includes(Buffer.from('80808088f8ffffff', 'hex')));
});

test('stacks that are the same are one sample: also those that are elsewhere in a function of the kernel', () => {
  assert.deepEqual(countsOf(recordingOf([stack(2, kernel(0x21n)), stack(3, kernel(0x2fn))])), [5]);
  assert.deepEqual(countsOf(recordingOf([stack(2, memory(1n)), stack(3, memory(1n))])), [5]);
});

for (const [name, other] of Object.entries({
  container: { container: 2n },
  command: { command: 'ps' },
  frame: { frames: [memory(2n)] },
  'kind of frame': { frames: [kernel(1n)] },
  'number of frames': { frames: [memory(1n), memory(1n)] },
}))
  test(`stacks that differ in the ${name} are two samples`, () => {
    const one = stack(2, memory(1n));
    assert.deepEqual(countsOf(recordingOf([one, { ...one, samples: 3, ...other }])), [2, 3]);
  });

for (const [what, room] of Object.entries({
  stacks: { stacks: 2, frames: 100 },
  frames: { stacks: 100, frames: 2 },
}))
  test(`a tally that is full of ${what} goes on with those that it has, and counts what it leaves out`, () => {
    const stacks = [stack(1, memory(1n)), stack(2, memory(2n)), stack(4, memory(3n)), stack(8, memory(1n))];
    const recording = recordingOf(stacks, room);
    assert.deepEqual([countsOf(recording), recording.omitted], [[9, 2], 4]);
    assert.equal(recording.frames.length, 2);
  });
