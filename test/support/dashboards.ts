import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../charts/bpf-sidecar/dashboards');

export interface Target {
  expr: string;
  legendFormat: string;
}

export interface GrafanaPanel {
  id: number;
  type: string;
  title: string;
  description: string;
  targets?: Target[];
  /** Of a closed row. */
  panels?: GrafanaPanel[];
}

export interface GrafanaDashboard {
  uid: string;
  templating: { list: { type: string; name: string; definition: string }[] };
  panels: GrafanaPanel[];
}

/** The dashboards of the chart, by name. */
export const chartDashboards: ReadonlyMap<string, GrafanaDashboard> = new Map(
  readdirSync(folder).map((file) => [
    file.replace('.json', ''),
    JSON.parse(readFileSync(join(folder, file), 'utf8')),
  ]),
);

/** Those in closed rows too, and the rows. */
export function panelsOf({ panels }: GrafanaDashboard): GrafanaPanel[] {
  return panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
}

/** What a legend names. */
export function labelsOf({ legendFormat }: Target): string[] {
  return [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
}
