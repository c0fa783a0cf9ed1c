import { createHash } from 'node:crypto';
import { probeFamilies, sidecarFamilies, webhookFamilies } from '../docs/families.ts';
import type { Dashboard, Panel, Row, Variable } from './dashboard.ts';
import { familiesIn } from './queries.ts';

const datasource = { type: 'prometheus', uid: '$datasource' };

const meanings = new Map(
  [...probeFamilies.values(), sidecarFamilies, webhookFamilies].flat().map(({ name, help }) => [name, help]),
);

/** Columns of a dashboard, and the part of them and the height that a panel has. */
const columns = 24;
const sizes = {
  lines: { w: 8, h: 8 },
  stacked: { w: 8, h: 8 },
  heatmap: { w: 8, h: 8 },
  number: { w: 6, h: 4 },
  name: { w: 6, h: 4 },
  table: { w: 8, h: 8 },
};

/** A dashboard as Grafana reads it from a file. */
export function grafanaJson(dashboard: Dashboard): object {
  const { name, title, description, variables } = dashboard;
  return {
    uid: `bpf-sidecar-${name}`,
    title,
    description,
    tags: ['bpf-sidecar'],
    schemaVersion: 41,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    links: [
      {
        type: 'dashboards',
        title: 'bpf-sidecar',
        tags: ['bpf-sidecar'],
        asDropdown: false,
        includeVars: false,
        keepTime: true,
      },
    ],
    templating: {
      list: [
        { type: 'datasource', name: 'datasource', label: 'Prometheus', query: 'prometheus', refresh: 1 },
        ...variables.map(variableJson),
      ],
    },
    annotations: { list: [] },
    panels: rowsJson(dashboard),
  };
}

function variableJson({ name, of, all }: Variable): object {
  const query = `label_values(${of}, ${name})`;
  return {
    type: 'query',
    name,
    datasource,
    definition: query,
    query: { query, refId: 'StandardVariableQuery' },
    refresh: 2,
    sort: 1,
    includeAll: all !== undefined,
    multi: all !== undefined,
    ...(all !== undefined && { allValue: all, current: { text: ['All'], value: ['$__all'] } }),
  };
}

/** From top to bottom. The panels of a closed row are in it, those of an open one follow it. */
function rowsJson({ rows, opens }: Dashboard): object[] {
  let y = 0;
  return rows.flatMap((row) => {
    const title = row.probe ?? row.title!;
    const head = {
      type: 'row',
      id: idOf(title),
      title,
      collapsed: row.closed === true,
      gridPos: { x: 0, y, w: columns, h: 1 },
    };
    y += 1;
    let [x, height] = [0, 0];
    const panels = row.panels.map((panel) => {
      const { w, h } = sizes[panel.show ?? 'lines'];
      if (x + w > columns) {
        y += height;
        [x, height] = [0, 0];
      }
      const json = panelJson(panel, row, { x, y, w, h }, opens);
      x += w;
      height = Math.max(height, h);
      return json;
    });
    // While it is closed the next row follows at once.
    y = row.closed ? head.gridPos.y + 1 : y + height;
    return row.closed ? [{ ...head, panels }] : [{ ...head, panels: [] }, ...panels];
  });
}

function panelJson(panel: Panel, row: Row, gridPos: object, opens: Dashboard['opens']): object {
  const { title, unit, show = 'lines', queries, words = {} } = panel;
  const mappings = Object.entries(words).map(([value, result]) => ({
    type: 'value',
    options: { [value]: result },
  }));
  const isNow = show === 'number' || show === 'name' || show === 'table';
  const isOfPods = queries.some(({ legend }) => legend.includes('{{pod}}'));
  const { type, custom, options } = shapes[show](unit);
  return {
    type,
    id: idOf(`${row.probe ?? row.title}/${title}`),
    title,
    description: describe(panel, row),
    datasource,
    gridPos,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + index),
      expr,
      legendFormat: legend,
      format: { heatmap: 'heatmap', table: 'table' }[show as string] ?? 'time_series',
      instant: isNow,
      range: !isNow,
    })),
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        mappings,
        ...(opens && isOfPods && { links: [opens] }),
        color: { mode: isNow ? 'thresholds' : 'palette-classic' },
        thresholds: { mode: 'absolute', steps: [{ color: 'text', value: null }] },
        custom,
      },
      overrides: [],
    },
    options,
    ...(show === 'table' && {
      transformations: [{ id: 'organize', options: { excludeByName: { Time: true } } }],
    }),
  };
}

/** What Grafana calls the ways to show something, and how it does. */
const shapes: Readonly<
  Record<keyof typeof sizes, (unit: string) => { type: string; custom: object; options: object }>
> = {
  lines: () => timeSeries('none'),
  stacked: () => timeSeries('normal'),
  heatmap: (unit) => ({
    type: 'heatmap',
    custom: { scaleDistribution: { type: 'linear' } },
    options: {
      calculate: false,
      cellGap: 1,
      // Half of a bucket's worth of nothing is nothing.
      filterValues: { le: 1e-9 },
      color: {
        mode: 'scheme',
        scheme: 'Oranges',
        scale: 'exponential',
        exponent: 0.5,
        steps: 64,
        fill: 'dark-orange',
        reverse: false,
      },
      rowsFrame: { layout: 'auto' },
      yAxis: { axisPlacement: 'left', unit, reverse: false },
      legend: { show: true },
      tooltip: { mode: 'single', yHistogram: true, showColorScale: false },
    },
  }),
  number: () => stat('value_and_name'),
  name: () => stat('name'),
  table: () => ({
    type: 'table',
    custom: { align: 'auto', cellOptions: { type: 'color-text' } },
    options: { showHeader: true, cellHeight: 'sm' },
  }),
};

function stat(textMode: 'value_and_name' | 'name') {
  return {
    type: 'stat',
    custom: {},
    options: {
      colorMode: 'value',
      graphMode: 'none',
      justifyMode: 'auto',
      textMode,
      orientation: 'auto',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  };
}

function timeSeries(stacking: 'none' | 'normal') {
  return {
    type: 'timeseries',
    custom: {
      drawStyle: 'line',
      lineWidth: 1,
      fillOpacity: stacking === 'normal' ? 30 : 5,
      showPoints: 'auto',
      spanNulls: false,
      stacking: { mode: stacking, group: 'A' },
    },
    options: {
      legend: { showLegend: true, displayMode: 'table', placement: 'bottom', calcs: ['mean', 'max'] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
}

/** What the metrics of a panel mean, and why it may be empty. */
function describe({ queries, note }: Panel, { probe, note: noteOfRow }: Row): string {
  const families = [...new Set(queries.flatMap(({ expr }) => familiesIn(expr)))];
  const [only, ...others] = families;
  const meaning =
    others.length === 0
      ? meanings.get(only!)!
      : families.map((name) => `- \`${name}\`: ${meanings.get(name)}`).join('\n');
  const off = probe && `Empty while the probe \`${probe}\` is off, and until there is something to count.`;
  return [meaning, note, noteOfRow, off].filter(Boolean).join('\n\n');
}

/** The same whatever is put before it. */
function idOf(path: string): number {
  return createHash('sha256').update(path).digest().readUIntBE(0, 3);
}
