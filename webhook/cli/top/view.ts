import type { Rates } from './rates.ts';
import type { Line } from './terminal.ts';

const gap = '  ';

/** A row for each container, no line wider than `width`. */
export function table({ titles, containers }: Rates, width: number): Line[] {
  if (containers.length === 0) return [{ text: nothing, emphasis: 'faint' }];
  const rows = [['container', ...titles], ...containers.map(({ name, cells }) => [name, ...cells])];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map(([name, ...cells], index) => ({
    text: [name!.padEnd(widths[0]!), ...cells.map((cell, column) => cell.padStart(widths[column + 1]!))]
      .join(gap)
      .slice(0, width),
    emphasis: index === 0 ? 'heading' : 'plain',
  }));
}

/** The same in a line for each container, for output that is not a terminal. */
export function lines({ titles, containers }: Rates, time: string): string[] {
  if (containers.length === 0) return [`${time}${gap}${nothing}`];
  return containers.map(
    ({ name, cells }) =>
      `${time}${gap}${name}: ${cells.map((cell, index) => `${cell} ${titles[index]}`).join('; ')}`,
  );
}

const nothing = 'no container has been seen at work yet';
