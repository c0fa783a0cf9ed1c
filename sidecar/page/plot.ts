import type uPlot from 'uplot';
import { colour } from './colours.ts';
import { clock } from './views.ts';

export const height = 190;
const axisWidth = 68;
/** Seconds of time that a plot shows at least, so that its first points do not jump. */
const leastTime = 60;
const font = '11px system-ui, sans-serif';

type Writer = (value: number) => string;

/** What all plots have: time below, numbers on the left, a cursor that is at the same time in each of them. */
export function basics(
  width: number,
  onCursor: (plot: uPlot) => void,
): Pick<uPlot.Options, 'width' | 'height' | 'legend' | 'cursor' | 'hooks' | 'padding'> {
  return {
    width,
    height,
    padding: [10, 22, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'time' }, points: { size: 7 } },
    hooks: { setCursor: [onCursor] },
  };
}

export const timeScale: uPlot.Scale = {
  time: true,
  range: (_, least, most) => [Math.min(least, most - leastTime), most],
};

export function timeAxis(): uPlot.Axis {
  return {
    stroke: () => colour('faint'),
    font,
    size: 28,
    space: 90,
    grid: { show: false },
    ticks: { stroke: () => colour('grid'), size: 4, width: 1 },
    values: (_, splits) => splits.map(clock),
  };
}

/** `rest` is what sets where its numbers are. */
export function numberAxis(write: Writer, rest: Pick<uPlot.Axis, 'splits' | 'incrs'>): uPlot.Axis {
  return {
    stroke: () => colour('faint'),
    font,
    size: axisWidth,
    space: 36,
    gap: 6,
    grid: { stroke: () => colour('grid'), width: 1 },
    ticks: { show: false },
    values: (_, numbers) => numbers.map((number) => withoutZeros(write(number))),
    ...rest,
  };
}

/** `7.50/s` is `7.5/s` where no digit stands below another. */
function withoutZeros(text: string): string {
  return text.replace(/\.(\d*?)0+(?!\d)/, (_, kept) => kept && `.${kept}`);
}
