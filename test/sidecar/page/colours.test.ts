import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const css = readFileSync(join(import.meta.dirname, '../../../sidecar/page/page.css'), 'utf8');
const [, light = '', dark = ''] = css.split(/:root \{/);

function colours(rules: string): Record<string, string> {
  return Object.fromEntries(
    [...rules.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, hex]) => [name, hex]),
  );
}

/** Relative luminance and contrast ratio as WCAG 2 defines them. */
function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(one: string, other: string): number {
  const [dim, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright! + 0.05) / (dim! + 0.05);
}

for (const [scheme, rules] of [
  ['light', light],
  ['dark', dark],
] as const)
  test(`in the ${scheme} scheme text has a contrast of 4.5, lines one of 3`, () => {
    const of = colours(rules);
    const grounds = [of.ground!, of.surface!];
    const text = ['ink', 'faint', 'accent'].flatMap((name) =>
      grounds.map((ground) => [of[name]!, ground] as const),
    );
    const badges = ['good', 'bad', 'waiting'].map((name) => [of[name]!, of[`${name}-ground`]!] as const);
    for (const pair of [...text, ...badges]) assert.ok(contrast(...pair) >= 4.5, pair.join(' on '));
    const lines = Object.keys(of).filter((name) => name.startsWith('line-'));
    assert.equal(lines.length, 8);
    for (const name of lines) assert.ok(contrast(of[name]!, of.surface!) >= 3, name);
  });
