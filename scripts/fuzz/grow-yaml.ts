import type { Random } from './random.ts';

/** What makes the parser of YAML go one level deeper, or make one more value. */
const pieces = ['[', '{', '- ', '? ', '[[', '{a: ', '!!a ', '&a ', 'a,', '"",', '- a\n', '\n  ', '|\n'];
/** The most bytes that a spec may have. */
const room = 256 * 1024;

/** A document with something in it many times, nested, aliased or merged, and all that the size of a spec allows. */
export function growYaml(yaml: string, random: Random): string {
  const left = room - Buffer.byteLength(yaml) - 100;
  const at = yaml.indexOf('\n', random.below(yaml.length)) + 1;
  switch (random.below(4)) {
    case 0:
      return yaml.slice(0, at) + repeat(random.pick(pieces), random.below(left)) + yaml.slice(at);
    case 1: {
      const piece = random.pick(pieces) + random.pick(pieces);
      return `${yaml}x-grown: ${repeat(piece, random.below(left))}`;
    }
    case 2: {
      const size = random.below(left);
      const aliases = repeat('*a,', Math.min(3 * 999, left - size));
      return `x-a: &a [${repeat(random.pick(['a,', '"",', '[],']), size)}]\n${yaml}x-grown: [${aliases}]`;
    }
    default: {
      const keys = Array.from({ length: random.below(left / 16) }, (_, key) => `k${key}: 1`);
      const merges = repeat('{<<: *a},', Math.min(9 * 999, left / 16));
      return `x-a: &a {${keys.join()}}\n${yaml}x-grown: [${merges}]`;
    }
  }
}

function repeat(piece: string, bytes: number): string {
  return piece.repeat(Math.floor(bytes / piece.length));
}
