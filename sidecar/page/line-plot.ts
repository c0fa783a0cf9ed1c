import uPlot from 'uplot';
import { colour, dashes, placeOf } from './colours.ts';
import { basics, height, numberAxis, timeAxis, timeScale } from './plot.ts';
import type { Unit } from './units.ts';
import type { Card, Line, Lines } from './views.ts';

/** Steps on an axis of bytes, so that its numbers are round in KiB and MiB. */
const powersOfTwo = Array.from({ length: 50 }, (_, power) => 2 ** power);

export interface Drawing {
  draw(card: Card): void;
  resize(width: number): void;
  remove(): void;
}

/** Draws lines into an element; tells the index of the time under the cursor, undefined when it has left. */
export function createLinePlot(target: HTMLElement, onTime: (index: number | undefined) => void): Drawing {
  let plot: uPlot | undefined;
  let drawn = '';
  let write: Lines['format'] = String;

  function make(lines: readonly Line[], data: uPlot.AlignedData, unit: Unit): uPlot {
    return new uPlot(
      {
        ...basics(target.clientWidth, ({ cursor }) => onTime(cursor.idx ?? undefined)),
        scales: { x: timeScale, y: { range: fromZero } },
        axes: [
          timeAxis(),
          numberAxis((value) => write(value), unit === 'bytes' ? { incrs: powersOfTwo } : {}),
        ],
        series: [
          {},
          ...lines.map(({ name }) => ({
            stroke: () => colour(`line-${placeOf(name)}`),
            width: 1.75,
            dash: dashes[placeOf(name) - 1]!,
            points: { show: false },
          })),
        ],
      },
      data,
      target,
    );
  }
  return {
    draw(card) {
      const { lines, format } = card.plot as Lines;
      const data: uPlot.AlignedData = [[...card.times], ...lines.map(({ values }) => [...values])];
      const names = JSON.stringify(lines.map(({ name }) => name));
      write = format;
      if (plot && names === drawn) return plot.setData(data);
      plot?.destroy();
      plot = make(lines, data, card.unit);
      drawn = names;
    },
    resize: (width) => plot?.setSize({ width, height }),
    remove: () => plot?.destroy(),
  };
}

/** From zero to a little more than the greatest value, so that heights can be compared. */
function fromZero(_: uPlot, least: number | null, most: number | null): [number, number] {
  return [Math.min(0, least ?? 0), (most || 1) * 1.1];
}
