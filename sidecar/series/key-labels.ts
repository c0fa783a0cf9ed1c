import type { LabelSpec } from '../contract/label-spec.ts';
import type { DecoderContext } from './decoders/decoder.ts';
import { chainDecoders } from './decoders/index.ts';
import { renderLabels } from './labels.ts';

/** A label value from a map may have this many characters: what a program puts there has no other bound. */
const maxValueLength = 128;

/** Rendered labels of a map's key, or undefined when a decoder drops the entry. */
export type LabelReader = (key: Buffer) => string | undefined;

/** Reads labels from the start of a key, each at its size and padding after the one before. */
export function createLabelReader(labels: readonly LabelSpec[], context: DecoderContext): LabelReader {
  let offset = 0;
  const parts = labels.map(({ name, size, padding, decoders }) => {
    const start = offset;
    offset += size + padding;
    return { name, start, end: start + size, decode: chainDecoders(decoders, context) };
  });
  return (key) => {
    const pairs: [string, string][] = [];
    for (const { name, start, end, decode } of parts) {
      const value = decode(key.subarray(start, end));
      if (value === undefined) return undefined;
      pairs.push([name, cut(value)]);
    }
    return renderLabels(pairs);
  };
}

/** The first characters of a text, never half of a surrogate pair. */
function cut(text: string): string {
  if (text.length <= maxValueLength) return text;
  // Two UTF-16 units at most per character: the rest need not be looked at.
  return Array.from(text.slice(0, 2 * maxValueLength))
    .slice(0, maxValueLength)
    .join('');
}
