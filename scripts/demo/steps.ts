import { print, style, width } from '../../webhook/cli/top/terminal.ts';
import { waiting } from '../progress.ts';

/** Does one step of the demo and prints a line about it: what it is, what came of it, how long it took. */
export async function step<T>(
  title: string,
  action: () => Promise<T> | T,
  result: (value: T) => string,
): Promise<T> {
  const began = performance.now();
  const value = await waiting(`  ${title}`, action);
  const took = `${Math.round(performance.now() - began).toLocaleString('en')} ms`;
  const room = lineWidth() - titleWidth - 2 - took.length - 2;
  print(
    `  ${style(title.padEnd(titleWidth), 'heading')}${cut(result(value), room).padEnd(room)}  ${style(took, 'faint')}`,
  );
  return value;
}

/** A line of detail below a step. */
export function detail(text: string): void {
  print(`  ${' '.repeat(titleWidth)}${cut(text, lineWidth() - titleWidth - 2)}`, 'faint');
}

const titleWidth = 13;

/** No wider than what the eye follows, and no narrower than what still says something. */
function lineWidth(): number {
  return Math.max(Math.min(width(), 100), 60);
}

function cut(text: string, room: number): string {
  return text.length > room ? `${text.slice(0, room - 1)}…` : text;
}
