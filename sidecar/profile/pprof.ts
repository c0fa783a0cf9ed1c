import { type Field, message } from './protobuf.ts';
import { type Frame, fileSpace } from './stacks.ts';
import type { TalliedStack, Tally } from './tally.ts';

/** What was recorded. */
export interface Recording extends Tally {
  /** When it began, in ms since 1970. */
  began: number;
  /** In ns. */
  duration: number;
  /** Of CPU time that a sample stands for, in ns. */
  period: number;
  /** What whoever reads the profile is to know. */
  comments: readonly string[];
}

const pageSize = 4096n;
/** As perf calls the kernel. */
const kernelFile = '[kernel.kallsyms]';
const unknownFunction = '[kernel]';

/**
 * A profile as https://github.com/google/pprof/blob/main/proto/profile.proto says, not compressed. `kernelFunction` tells
 * the function that an address is in. Addresses of the kernel, which are a secret, are not in it.
 */
export function encodeProfile(
  { frames, stacks, began, duration, period, comments }: Recording,
  kernelFunction: (address: bigint) => string | undefined,
): Buffer {
  const strings = createTable<string>(0);
  const text = strings.numberOf;
  text('');
  const functions = createTable<string>(1);
  const { mappings, kernel, placeOf } = mapFiles(frames);

  const locations: Field[] = [];
  const ofFunctions = new Map<number, number>();
  const locationOf = frames.map((frame) => {
    if (frame.kind !== 'kernel') {
      const { mapping, address } = placeOf(frame);
      return locations.push(field(4, [field(1, locations.length + 1), field(2, mapping), field(3, address)]));
    }
    const number = functions.numberOf(kernelFunction(frame.address) ?? unknownFunction);
    const known = ofFunctions.get(number);
    if (known !== undefined) return known;
    const line = field(4, [field(1, number)]);
    const id = locations.push(field(4, [field(1, locations.length + 1), field(2, kernel), line]));
    ofFunctions.set(number, id);
    return id;
  });
  const valueType = (number: number, type: string, unit: string) =>
    field(number, [field(1, text(type)), field(2, text(unit))]);
  const head = [
    valueType(1, 'samples', 'count'),
    valueType(1, 'cpu', 'nanoseconds'),
    ...merged(stacks, locationOf).map(({ samples, frames: ofStack, ...labels }) =>
      field(2, [
        field(1, ofStack),
        field(2, [samples, samples * period]),
        ...Object.entries(labels).map(([name, value]) =>
          field(3, [field(1, text(name)), field(2, text(value))]),
        ),
      ]),
    ),
    ...mappings.map(({ start, limit, offset, file, buildId }, index) =>
      field(3, [
        ...[field(1, index + 1), field(2, start), field(3, limit), field(4, offset)],
        ...[field(5, text(file)), field(6, text(buildId)), field(7, Number(file === kernelFile))],
      ]),
    ),
    ...locations,
    ...functions.all.map((name, index) =>
      field(5, [field(1, index + 1), field(2, text(name)), field(3, text(name))]),
    ),
    field(9, BigInt(began) * 1_000_000n),
    field(10, duration),
    valueType(11, 'cpu', 'nanoseconds'),
    field(12, period),
    ...comments.map((comment) => field(13, text(comment))),
    field(14, text('cpu')),
  ];
  // At last, for now all of them are known.
  return message([...head, ...strings.all.map((value): Field => [6, Buffer.from(value)])]);
}

/** Stacks with locations for frames: some of them are the same then, since a function of the kernel is one location. */
function merged(stacks: readonly TalliedStack[], locationOf: readonly number[]): TalliedStack[] {
  const all = new Map<string, TalliedStack>();
  for (const { container, command, samples, frames } of stacks) {
    const locations = frames.map((frame) => locationOf[frame]!);
    const name = JSON.stringify([container, command, ...locations]);
    const known = all.get(name);
    if (known) known.samples += samples;
    else all.set(name, { container, command, samples, frames: locations });
  }
  return [...all.values()];
}

function field(number: number, value: number | bigint | readonly number[] | readonly Field[]): Field {
  if (typeof value === 'number' || typeof value === 'bigint') return [number, value];
  return isFields(value) ? [number, message(value)] : [number, value];
}

function isFields(value: readonly number[] | readonly Field[]): value is readonly Field[] {
  return typeof value[0] === 'object';
}

/** Values by the number that each gets when it is first asked for. */
function createTable<T>(first: number): { all: T[]; numberOf(value: T): number } {
  const all: T[] = [];
  const numbers = new Map<T, number>();
  return {
    all,
    numberOf(value) {
      let number = numbers.get(value);
      if (number === undefined) {
        number = first + all.push(value) - 1;
        numbers.set(value, number);
      }
      return number;
    },
  };
}

interface Mapping {
  start: bigint;
  limit: bigint;
  /** In the file, of what is at `start`. */
  offset: bigint;
  file: string;
  buildId: string;
}

/**
 * Each file from the first page to the last that a frame is in: a reader looks for the segment of the
 * executable that this page is in. Where a file was in memory is not known: each has an address space for itself, in which
 * address and offset differ by a multiple of `fileSpace`.
 */
function mapFiles(frames: readonly Frame[]): {
  mappings: Mapping[];
  /** The number of the kernel's. */
  kernel: number;
  placeOf(frame: Exclude<Frame, { kind: 'kernel' }>): { mapping: number; address: bigint };
} {
  const files = new Map<string, { number: number; base: bigint; mapping: Mapping }>();
  const mappings: Mapping[] = [];
  for (const frame of frames) {
    if (frame.kind !== 'file') continue;
    const page = frame.offset - (frame.offset % pageSize);
    const known = files.get(frame.buildId);
    if (known === undefined) {
      const base = BigInt(files.size + 1) * fileSpace;
      const mapping = {
        ...{ start: base + page, limit: base + page + pageSize, offset: page },
        ...{ file: '', buildId: frame.buildId },
      };
      files.set(frame.buildId, { number: mappings.push(mapping), base, mapping });
      continue;
    }
    const { base, mapping } = known;
    if (page < mapping.offset) Object.assign(mapping, { start: base + page, offset: page });
    if (base + page + pageSize > mapping.limit) mapping.limit = base + page + pageSize;
  }
  // Last, for readers take the first for the program that the profile is of.
  const kernel = mappings.push({ start: 0n, limit: 0n, offset: 0n, file: kernelFile, buildId: '' });
  return {
    mappings,
    kernel,
    placeOf(frame) {
      if (frame.kind === 'memory') return { mapping: 0, address: frame.address };
      const { number, base } = files.get(frame.buildId)!;
      return { mapping: number, address: base + frame.offset };
    },
  };
}
