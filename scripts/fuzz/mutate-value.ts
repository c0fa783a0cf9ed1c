import type { Random } from './random.ts';

const junk: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1,
  1.5,
  8,
  255,
  1e6,
  2 ** 53,
  '',
  'bucket',
  'a_total',
  'x'.repeat(300),
  '\u0000"\n\\',
  '(a+)+$',
  [],
  [[]],
  {},
  { name: 'uint' },
];
const names = [
  'name',
  'labels',
  'size',
  'value',
  'bucket_max',
  'decoders',
  'prefix',
  'x-y',
  '__proto__',
  'toString',
];

/** A copy of a value of JSON with some of its parts replaced, removed, doubled or renamed. */
export function mutateValue(value: unknown, random: Random): unknown {
  let mutant = structuredClone(value);
  for (let changes = 1 + random.below(3); changes > 0; changes--) mutant = change(mutant, random);
  return mutant;
}

/** Goes down to some part, and changes it. */
function change(value: unknown, random: Random): unknown {
  if (typeof value !== 'object' || value === null || random.below(8) === 0) return scalar(value, random);
  if (Array.isArray(value)) return changeList(value, random);
  return changeMapping(value as Record<string, unknown>, random);
}

function scalar(value: unknown, random: Random): unknown {
  if (typeof value === 'number' && random.below(2) === 0) return value + random.pick([-1, 1, 8, 0.5]);
  return structuredClone(random.pick(junk));
}

function changeList(list: unknown[], random: Random): unknown[] {
  const index = random.below(list.length);
  const before = list.slice(0, index);
  const after = list.slice(index + 1);
  if (list.length === 0) return [structuredClone(random.pick(junk))];
  switch (random.below(8)) {
    case 0:
      return [...before, ...after];
    case 1:
      return [...list, structuredClone(list[index])];
    case 2:
      return list.toReversed();
    default:
      return [...before, change(list[index], random), ...after];
  }
}

function changeMapping(mapping: Record<string, unknown>, random: Random): Record<string, unknown> {
  const entries = Object.entries(mapping);
  if (entries.length === 0) return { [random.pick(names)]: structuredClone(random.pick(junk)) };
  const index = random.below(entries.length);
  const [key, value] = entries[index]!;
  switch (random.below(8)) {
    case 0:
      return Object.fromEntries(entries.toSpliced(index, 1));
    case 1:
      return Object.fromEntries(entries.with(index, [random.pick(names), value]));
    case 2:
      return Object.fromEntries([...entries, [random.pick(names), structuredClone(random.pick(junk))]]);
    default:
      return Object.fromEntries(entries.with(index, [key, change(value, random)]));
  }
}
