import uPlot from 'uplot';
import { heatColours } from './colours.ts';
import type { Drawing } from './line-plot.ts';
import { basics, height, numberAxis, timeAxis, timeScale } from './plot.ts';
import { format, formatRate, type Unit } from './units.ts';
import { clock, type HeatMap } from './views.ts';

const steps = 24;

/** The buckets from the lowest to the highest that has events, and one more on each side. */
function shownBuckets({ bounds, columns }: HeatMap): [number, number] {
  let [low, high] = [bounds.length, -1];
  for (const column of columns)
    column?.forEach((count, index) => {
      if (count > 0) [low, high] = [Math.min(low, index), Math.max(high, index)];
    });
  if (high === -1) return [0, bounds.length];
  return [Math.max(low - 1, 0), Math.min(high + 2, bounds.length)];
}

/** `64 µs to 128 µs`. */
function describeBucket(bounds: readonly number[], index: number, unit: Unit): string {
  const [lower, upper] = [bounds[index - 1] ?? 0, bounds[index]!];
  return upper === Number.POSITIVE_INFINITY
    ? `more than ${format(lower, unit)}`
    : `${format(lower, unit)} to ${format(upper, unit)}`;
}

/** What is told beside a heat map. */
export interface HeatMapWords {
  /** How much the last colour is. */
  scale: string;
  /** What is under the cursor; nothing when it has left. */
  cell: string;
}

/** Draws a heat map into an element. */
export function createHeatMap(target: HTMLElement, tell: (words: HeatMapWords) => void): Drawing {
  let plot: uPlot | undefined;
  let map: HeatMap = { kind: 'heat map', bounds: [], columns: [] };
  let unit: Unit = 'count';
  let range: [number, number] = [0, 1];
  /** Events a second in the bucket that has most. */
  let most = 0;

  const onCell = (cell: string) => tell({ scale: `to ${formatRate(most, 'count')}`, cell });

  function drawCells(u: uPlot): void {
    const { ctx } = u;
    const times = u.data[0];
    if (most === 0) return;
    const colours = heatColours(steps);
    const x = times.map((time) => u.valToPos(time, 'x', true));
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    for (let bucket = range[0]; bucket < range[1]; bucket++) {
      const top = Math.round(u.valToPos(bucket + 1, 'y', true));
      const bottom = Math.round(u.valToPos(bucket, 'y', true));
      map.columns.forEach((column, index) => {
        const count = column?.[bucket] ?? 0;
        if (count <= 0) return;
        // The square root, for few events beside many are what one looks for.
        ctx.fillStyle = colours[Math.min(steps - 1, Math.floor(Math.sqrt(count / most) * steps))]!;
        const left = Math.round(x[index - 1] ?? x[index]! - 4);
        ctx.fillRect(left, top, Math.max(Math.round(x[index]!) - left, 1), bottom - top - 1);
      });
    }
    ctx.restore();
  }

  function point({ cursor, data, posToVal }: uPlot): void {
    const { idx, top = -1 } = cursor;
    const column = idx === null || idx === undefined ? undefined : map.columns[idx];
    const bucket = Math.floor(posToVal(top, 'y'));
    if (!column || top < 0 || map.bounds[bucket] === undefined) onCell('');
    else {
      const count = formatRate(column[bucket] ?? 0, 'count');
      onCell(`${clock(data[0][idx!]!)}: ${count} of ${describeBucket(map.bounds, bucket, unit)}`);
    }
  }

  /** Bounds are few enough to be told apart, and always those of the same buckets. */
  function splits(): number[] {
    const every = Math.ceil((range[1] - range[0]) / 6);
    const places: number[] = [];
    for (let place = range[0]; place <= range[1]; place++) if (place % every === 0) places.push(place);
    return places;
  }

  function make(data: uPlot.AlignedData): uPlot {
    const { hooks, ...rest } = basics(target.clientWidth, point);
    const bound = (place: number) => (place === 0 ? '0' : format(map.bounds[place - 1], unit));
    return new uPlot(
      {
        ...rest,
        scales: { x: timeScale, y: { range: () => range } },
        axes: [timeAxis(), numberAxis(bound, { splits })],
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: { ...hooks, drawAxes: [drawCells] },
      },
      data,
      target,
    );
  }

  return {
    draw(card) {
      map = card.plot as HeatMap;
      unit = card.unit;
      range = shownBuckets(map);
      most = map.columns.reduce((greatest, column) => Math.max(greatest, ...(column ?? [])), 0);
      onCell('');
      const data: uPlot.AlignedData = [[...card.times], card.times.map(() => range[0])];
      if (plot) plot.setData(data);
      else plot = make(data);
    },
    resize: (width) => plot?.setSize({ width, height }),
    remove: () => plot?.destroy(),
  };
}
