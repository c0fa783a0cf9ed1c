import { styleText } from 'node:util';
import type { Emphasis, Line } from './view.ts';

const { stdout } = process;

/** Whether the output is a terminal, which can be drawn on again. */
export const isTerminal = stdout.isTTY === true;

export function width(): number {
  return stdout.columns || 100;
}

export function print(text = '', emphasis: Emphasis = 'plain'): void {
  stdout.write(`${style(text, emphasis)}\n`);
}

/** Unchanged when the output is no terminal or NO_COLOR is set: styleText sees to that. */
export function style(text: string, emphasis: Emphasis): string {
  if (emphasis === 'plain') return text;
  return styleText(emphasis === 'heading' ? 'bold' : 'dim', text);
}

/** A part of the terminal that is drawn again and again in place; as many lines as there is room for. */
export function canvas(): { draw(lines: readonly Line[]): void } {
  let drawn = 0;
  return {
    draw(lines) {
      const shown = lines.slice(0, Math.max((stdout.rows || lines.length + 1) - 1, 1));
      // To the margin too: the terminal may have echoed a key.
      const up = drawn > 0 ? `\r\x1b[${drawn}A` : '';
      // Each line clears what is left of the one before it, and the last clears all below: nothing flickers.
      const text = shown.map(({ text, emphasis }) => `${style(text, emphasis)}\x1b[K\n`).join('');
      stdout.write(`${up}${text}\x1b[J`);
      drawn = shown.length;
    },
  };
}

/** Does one step of the demo and prints a line about it: what it is, what came of it, how long it took. */
export async function step<T>(
  title: string,
  action: () => Promise<T> | T,
  result: (value: T) => string,
): Promise<T> {
  if (isTerminal) stdout.write(style(`  ${title.padEnd(titleWidth)}...`, 'faint'));
  const began = performance.now();
  try {
    const value = await action();
    const took = `${Math.round(performance.now() - began).toLocaleString('en')} ms`;
    const room = lineWidth() - titleWidth - 2 - took.length - 2;
    startLine();
    print(
      `  ${style(title.padEnd(titleWidth), 'heading')}${cut(result(value), room).padEnd(room)}  ${style(took, 'faint')}`,
    );
    return value;
  } catch (error) {
    startLine();
    throw error;
  }
}

/** A line of detail below a step. */
export function detail(text: string): void {
  print(`  ${' '.repeat(titleWidth)}${cut(text, lineWidth() - titleWidth - 2)}`, 'faint');
}

const titleWidth = 13;

function startLine(): void {
  if (isTerminal) stdout.write('\r\x1b[K');
}

/** No wider than what the eye follows, and no narrower than what still says something. */
function lineWidth(): number {
  return Math.max(Math.min(width(), 100), 60);
}

function cut(text: string, room: number): string {
  return text.length > room ? `${text.slice(0, room - 1)}…` : text;
}
