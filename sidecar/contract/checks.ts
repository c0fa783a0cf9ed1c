/**
 * Checks for values that came out of a user's YAML. `at` is the place as a user finds it, file and path
 * (`tcp.yaml: metrics.counters[0].name`); every check returns the value with its type or throws an Error of
 * one sentence that begins with the place.
 */

export function fail(at: string, problem: string): never {
  throw new Error(`${at}: ${problem}`);
}

/** A mapping whose keys are all known. */
export function mapping(value: unknown, at: string, known: readonly string[]): Record<string, unknown> {
  const fields = anyMapping(value, at);
  const unknown = Object.keys(fields).find((key) => !known.includes(key));
  if (unknown !== undefined) fail(at, `unknown field ${quote(unknown)}; allowed are ${known.join(', ')}`);
  return fields;
}

export function anyMapping(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    fail(at, `must be a mapping, not ${quote(value)}`);
  return value as Record<string, unknown>;
}

/** A list of `min` to `max` items, each read by `item` with its own place. */
export function list<T>(
  value: unknown,
  at: string,
  [min, max]: readonly [min: number, max: number],
  item: (value: unknown, at: string) => T,
): T[] {
  if (!Array.isArray(value) || value.length < min || value.length > max)
    fail(at, `must be a list of ${min} to ${max} items, not ${quote(value)}`);
  return value.map((element, index) => item(element, `${at}[${index}]`));
}

export function text(value: unknown, at: string, maxLength: number): string {
  if (typeof value !== 'string' || value.length > maxLength)
    fail(at, `must be text of at most ${maxLength} characters, not ${quote(value)}`);
  return value;
}

/** Text of a given shape; `what` completes "must be". */
export function shaped(value: unknown, at: string, shape: RegExp, what: string): string {
  if (typeof value !== 'string' || !shape.test(value)) fail(at, `must be ${what}, not ${quote(value)}`);
  return value;
}

export function integer(value: unknown, at: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
    fail(at, `must be a whole number from ${min} to ${max}, not ${quote(value)}`);
  return value;
}

export function number(value: unknown, at: string, min: number, max: number): number {
  if (typeof value !== 'number' || !(value >= min && value <= max))
    fail(at, `must be a number from ${min} to ${max}, not ${quote(value)}`);
  return value;
}

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const year = 8760 * 3_600_000;

export const durationShape = /^(?=.*[1-9])([0-9]{1,7}(\.[0-9]{1,9})?(ms|s|m|h))+$/;

/** A duration as Go writes it, `1m30s` or `1.5h`, of at most a year, in milliseconds. */
export function duration(value: unknown, at: string): number {
  const written = shaped(value, at, durationShape, 'a duration such as 10s or 1m30s');
  const parts = [...written.matchAll(/([0-9.]+)(ms|s|m|h)/g)];
  const milliseconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * units[unit!]!, 0);
  if (milliseconds > year) fail(at, `must be at most 8760h, not ${quote(value)}`);
  return milliseconds;
}

export function boolean(value: unknown, at: string): boolean {
  if (typeof value !== 'boolean') fail(at, `must be true or false, not ${quote(value)}`);
  return value;
}

export function oneOf<T extends string>(value: unknown, at: string, allowed: readonly T[]): T {
  if (!(allowed as readonly unknown[]).includes(value))
    fail(at, `must be one of ${allowed.join(', ')}, not ${quote(value)}`);
  return value as T;
}

/** Characters of what a user wrote that a message repeats. */
const maxQuote = 80;

/** What a user wrote, short enough for a message. */
export function quote(value: unknown): string {
  if (value === undefined) return 'left out';
  return clip(beginning(value, maxQuote + 1), maxQuote);
}

export function clip(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** At least the first `length` characters of a value as JSON, and not all: aliases can make it larger than the memory. */
function beginning(value: unknown, length: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, length));
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  let written = isList ? '[' : '{';
  for (const key of isList ? value.keys() : Object.keys(value)) {
    if (written.length > 1) written += ',';
    if (!isList) written += `${beginning(key, length)}:`;
    written += beginning((value as Record<string | number, unknown>)[key], length - written.length);
    if (written.length > length) return written;
  }
  return written + (isList ? ']' : '}');
}
