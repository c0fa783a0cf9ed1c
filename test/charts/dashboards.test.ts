import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noTools } from '../../scripts/cluster/tools.ts';
import { dashboards } from '../../scripts/dashboards/dashboards.ts';
import { grafanaJson } from '../../scripts/dashboards/grafana.ts';
import { familiesIn } from '../../scripts/dashboards/queries.ts';
import { probeFamilies, sidecarFamilies, webhookFamilies } from '../../scripts/docs/families.ts';
import { chartDashboards, labelsOf, panelsOf } from '../support/dashboards.ts';
import { render } from './chart.ts';

/** Built-in families that are in no panel, and why. */
const leftOut: Readonly<Record<string, string>> = {
  bpf_memory_faults_total:
    'bpf_process_paging_faults_total has the same by type, also where there is no memory controller',
  bpf_memory_major_faults_total: 'bpf_process_paging_faults_total has the same by type',
};

/** The labels that the series of a family have. */
const labels = new Map<string, string[]>([
  ...[...probeFamilies.values()].flat().map((family) => [family.name, withLabels(family, 'node')] as const),
  ...sidecarFamilies.map((family) => [family.name, withLabels(family, 'node')] as const),
  ...webhookFamilies.map((family) => [family.name, withLabels(family)] as const),
]);

function withLabels(family: (typeof sidecarFamilies)[number], ...more: string[]): string[] {
  return ['namespace', 'pod', ...more, ...family.labels.map(({ name }) => name)].concat(
    family.type === 'histogram' ? ['le'] : [],
  );
}

test('the dashboards of the chart are those of the code', () => {
  assert.deepEqual(
    [...chartDashboards],
    dashboards
      .map((dashboard) => [dashboard.name, JSON.parse(JSON.stringify(grafanaJson(dashboard)))] as const)
      .toSorted(([one], [other]) => (one < other ? -1 : 1)),
    'run npm run build:docs',
  );
});

for (const [name, dashboard] of chartDashboards)
  describe(`the dashboard ${name}`, () => {
    const panels = panelsOf(dashboard).filter(({ type }) => type !== 'row');
    const targets = panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, target })));

    test('has panels with an id each, and a description', () => {
      const ids = panelsOf(dashboard).map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      for (const { title, description } of panels) assert.ok(description, title);
    });

    test('asks for no other metrics and labels than there are', () => {
      for (const { title, target } of targets) {
        const names = familiesIn(target.expr);
        assert.ok(names.length > 0, title);
        for (const metric of names) {
          const known = labels.get(metric);
          assert.ok(known, `${metric} in ${title}`);
          const grouped = [...target.expr.matchAll(/ by \(([^)]*)\)/g)].flatMap(([, list]) =>
            list!.split(', '),
          );
          const matched = [...target.expr.matchAll(/(bpf_\w+)\{(.*?)\}/g)]
            .filter(([, of]) => familiesIn(of!)[0] === metric)
            .flatMap(([, , matchers]) =>
              [...matchers!.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label!),
            );
          for (const label of [...grouped, ...matched, ...labelsOf(target)])
            assert.ok(known.includes(label), `label ${label} of ${metric} in ${title}`);
        }
      }
    });

    test('shows no counter and no histogram as it is', () => {
      for (const { title, target } of targets)
        for (const [, before] of target.expr.matchAll(/(.{0,9})bpf_\w+_(total|bucket|count|sum)\{/g))
          assert.match(before!, /(rate|increase)\($/, title);
    });

    test('depends on no Prometheus in particular', () => {
      for (const [, uid] of JSON.stringify(dashboard).matchAll(
        /"datasource":\{"type":"prometheus","uid":"(.*?)"/g,
      ))
        assert.equal(uid, '$datasource');
    });
  });

test('every family of the built-in probes is in a panel, or left out for a reason', () => {
  const shown = new Set(
    [...chartDashboards.values()].flatMap((dashboard) =>
      panelsOf(dashboard).flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => familiesIn(expr))),
    ),
  );
  for (const name of [...labels.keys()])
    assert.notEqual(shown.has(name), name in leftOut, `${name}: in a panel and left out, or neither`);
});

describe('the chart', { skip: noTools }, () => {
  const configMaps = (values: object) =>
    render({ dashboards: values }).filter(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.includes('-dashboard-'),
    );

  test('has the dashboards where they are asked for, as Grafana looks for them', () => {
    assert.deepEqual(configMaps({}), []);
    const made = configMaps({ enabled: true });
    assert.equal(made.length, chartDashboards.size);
    for (const { metadata, data } of made) {
      assert.equal(metadata.labels?.grafana_dashboard, '1');
      assert.equal(metadata.namespace, 'observability');
      const [[file, json] = []] = Object.entries<string>(data);
      const name = file!.replace(/^bpf-sidecar-(.*)\.json$/, '$1');
      assert.equal(metadata.name, `bpf-sidecar-dashboard-${name}`);
      assert.deepEqual(JSON.parse(json!), chartDashboards.get(name));
    }
  });

  test('puts them where the values say', () => {
    const labels = { grafana_dashboard: null, dashboards: 'yes' };
    const annotations = { grafana_folder: 'eBPF' };
    for (const { metadata } of configMaps({ enabled: true, namespace: 'grafana', labels, annotations })) {
      assert.equal(metadata.namespace, 'grafana');
      assert.equal(metadata.labels?.dashboards, 'yes');
      assert.equal(metadata.labels?.grafana_dashboard, undefined);
      assert.deepEqual(metadata.annotations, annotations);
    }
  });
});
