/** A number in a value that is added up, in bytes. */
export interface SummedNumber {
  offset: number;
  size: number;
  /** Whether it is a signed integer; not when left out. */
  signed?: boolean;
}

/** Without those that are a part of another, and without repetitions: what two metrics read must not be added twice. */
export function withoutParts(numbers: readonly SummedNumber[]): SummedNumber[] {
  const kept: SummedNumber[] = [];
  for (const number of numbers.toSorted((a, b) => b.size - a.size))
    if (!kept.some((other) => isPartOf(number, other))) kept.push(number);
  return kept;
}

function isPartOf(number: SummedNumber, other: SummedNumber): boolean {
  return number.offset >= other.offset && number.offset + number.size <= other.offset + other.size;
}

/**
 * Adds the numbers of a value to those of another, in each of its copies of `valueSize` bytes. Where one of them would
 * not fit it does nothing. Whether they did.
 */
export function addNumbers(
  sum: Buffer,
  value: Buffer,
  numbers: readonly SummedNumber[],
  valueSize: number,
): boolean {
  const totals: [at: number, size: number, total: bigint][] = [];
  for (let copy = 0; copy < sum.length; copy += valueSize)
    for (const { offset, size, signed = false } of numbers) {
      const at = copy + offset;
      const wrap = signed ? BigInt.asIntN : BigInt.asUintN;
      const read = (buffer: Buffer) => wrap(8 * size, readNumber(buffer, at, size));
      const total = read(sum) + read(value);
      if (wrap(8 * size, total) !== total) return false;
      totals.push([at, size, BigInt.asUintN(8 * size, total)]);
    }
  for (const [at, size, total] of totals)
    if (size === 8) sum.writeBigUInt64LE(total, at);
    else sum.writeUIntLE(Number(total), at, size);
  return true;
}

function readNumber(buffer: Buffer, at: number, size: number): bigint {
  return size === 8 ? buffer.readBigUInt64LE(at) : BigInt(buffer.readUIntLE(at, size));
}
