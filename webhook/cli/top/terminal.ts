import { styleText } from 'node:util';

export type Emphasis = 'heading' | 'plain' | 'faint';

/** A line of a view, styled as a whole so that it can be cut to a width. */
export interface Line {
  text: string;
  emphasis: Emphasis;
}

export const blank: Line = { text: '', emphasis: 'plain' };

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
