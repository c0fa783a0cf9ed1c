import type { DecoderName, LabelSpec } from '../contract/label-spec.ts';
import { createLosses, type Losses } from './bounds.ts';
import type { DecoderContext } from './decoders/decoder.ts';
import { chainDecoders } from './decoders/index.ts';
import { renderLabels } from './labels.ts';

/** A label value from a map may have this many characters: what a program puts there has no other bound. */
const maxValueLength = 128;
/** Of a stack, which is some twenty names of functions. */
const maxStackLength = 1024;
/** Different values of a label with free text, whose number nothing else bounds. */
const maxDistinctValues = 200;
/** What the values over that become; as many as there are. */
const otherValues = '~other';
const stacks: readonly DecoderName[] = ['kstack', 'kstack_id'];
const freeText: readonly DecoderName[] = ['string', 'dname', ...stacks];

/** Names and values, or undefined when a decoder drops the entry. */
export type PairReader = (bytes: Buffer) => [name: string, value: string][] | undefined;

/** Rendered labels of a map's key, or undefined when a decoder drops the entry. */
export type LabelReader = (key: Buffer) => string | undefined;

/** Reads labels from the start of a key, each at its size and padding after the one before. */
export function createLabelReader(
  labels: readonly LabelSpec[],
  context: DecoderContext,
  losses: Losses = createLosses(),
): LabelReader {
  const readPairs = createPairReader(labels, context, losses);
  const folds = labels.map(({ decoders, maxValues }) =>
    maxValues !== undefined || decoders.some(({ name }) => freeText.includes(name))
      ? createFold(losses, maxValues ?? maxDistinctValues)
      : undefined,
  );
  const isShown = labels.map(({ maxValues }) => maxValues !== 0);
  return (key) => {
    const pairs = readPairs(key);
    if (pairs === undefined) return undefined;
    return renderLabels(
      pairs
        .map(([name, value], index) => [name, folds[index]?.(value) ?? value] as const)
        .filter((_, index) => isShown[index]),
    );
  };
}

/** As createLabelReader, with as many different values of a label as there are. */
export function createPairReader(
  labels: readonly LabelSpec[],
  context: DecoderContext,
  losses: Losses,
): PairReader {
  let offset = 0;
  const parts = labels.map(({ name, size, padding, decoders }) => {
    const start = offset;
    offset += size + padding;
    const maxLength = decoders.some((decoder) => stacks.includes(decoder.name))
      ? maxStackLength
      : maxValueLength;
    return { name, start, end: start + size, maxLength, decode: chainDecoders(decoders, context) };
  });
  return (bytes) => {
    const pairs: [string, string][] = [];
    for (const { name, start, end, maxLength, decode } of parts) {
      const value = decode(bytes.subarray(start, end));
      if (value === undefined) return undefined;
      const short = cut(value, maxLength);
      if (short !== value) losses.cutValues++;
      pairs.push([name, short]);
    }
    return pairs;
  };
}

/**
 * Lets the first values through and folds all others into one, for good: were a value let through later, its
 * events so far would leave the series of the others, whose counter would go down.
 */
function createFold(losses: Losses, maxValues: number): (value: string) => string {
  const values = new Set<string>();
  return (value) => {
    // Some programs fold by themselves.
    if (values.has(value) || value === otherValues) return value;
    if (values.size < maxValues) {
      values.add(value);
      return value;
    }
    losses.foldedValues++;
    return otherValues;
  };
}

/** The first characters of a text, never half of a surrogate pair. */
function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  // Two UTF-16 units at most per character: the rest need not be looked at.
  return Array.from(text.slice(0, 2 * maxLength))
    .slice(0, maxLength)
    .join('');
}
