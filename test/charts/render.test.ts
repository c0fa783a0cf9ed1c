import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { noTools } from '../../scripts/cluster/tools.ts';
import { documentedValues, withChartValues } from '../../scripts/docs/chart-values.ts';
import { neededCapabilities } from '../../sidecar/contract/capabilities.ts';
import { environment, mountPaths } from '../../sidecar/contract/pod.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { parseConfig } from '../../webhook/config-file.ts';
import { chart, find, helm, type Rendered, render } from './chart.ts';
import { matrix } from './matrix.ts';

const file = (name: string) => readFileSync(join(chart, name), 'utf8');

describe('the chart', { skip: noTools }, () => {
  for (const [name, values] of Object.entries(matrix)) {
    test(`renders ${name}`, () => {
      const { ok, stdout, stderr } = helm(['lint', '--strict', chart], values);
      assert.ok(ok, stdout + stderr);
      const objects = render(values);
      for (const { kind, metadata } of objects)
        assert.equal(
          metadata.labels?.['app.kubernetes.io/instance'],
          'bpf-sidecar',
          `${kind} ${metadata.name}`,
        );
      const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`);
      assert.deepEqual(names, [...new Set(names)]);
      // The webhook's own parser has read the configuration file.
      assert.equal(configOf(objects).sidecar.image, sidecarImages[name] ?? `bpf-sidecar:${manifest.version}`);
    });
  }

  test('has, where its values are left alone, the defaults that the webhook has by itself', () => {
    const { certificate, ...config } = configOf(render());
    const least = `{sidecar: {image: ${config.sidecar.image}}, certificate: {directory: /tls}}`;
    const { certificate: _, ...defaults } = parseConfig(least, 'least');
    assert.deepEqual(config, defaults);
    assert.deepEqual(certificate, {
      authoritySecret: { namespace: 'observability', name: 'bpf-sidecar-ca' },
      dnsNames: ['bpf-sidecar.observability.svc'],
      webhookConfigurations: { mutating: ['bpf-sidecar'], validating: ['bpf-sidecar'] },
    });
  });

  test('has no pod but the replicas behind the Service of the webhook', () => {
    const objects = render();
    const selector = Object.entries(find(objects, 'Service').spec.selector);
    const selected = (labels: Record<string, string> = {}) =>
      selector.every(([name, value]) => labels[name] === value);
    assert.ok(selected(find(objects, 'Deployment').spec.template.metadata.labels));
    assert.ok(!selected(find(objects, 'Pod').metadata.labels));
  });

  test('has the webhook scraped as another job than the sidecars', () => {
    const [{ relabelings }] = find(render({ serviceMonitor: { enabled: true } }), 'ServiceMonitor').spec
      .endpoints;
    assert.deepEqual(relabelings, [{ targetLabel: 'job', replacement: 'bpf-sidecar-webhook' }]);
  });

  test('gives names that have the name of the release, and of the chart once', () => {
    const name = (release: string) =>
      /name: (\S+)/.exec(
        helm(['template', release, chart, '--show-only', 'templates/service.yaml']).stdout,
      )?.[1];
    assert.equal(name('bpf-sidecar'), 'bpf-sidecar');
    assert.equal(name('east-bpf-sidecar'), 'east-bpf-sidecar');
    assert.equal(name('east'), 'east-bpf-sidecar');
  });

  test('is refused by Kubernetes before 1.30, with a sentence', () => {
    const { ok, stderr } = helm(['template', chart, '--kube-version', 'v1.29.9']);
    assert.equal(ok, false);
    assert.match(
      stderr,
      /chart requires kubeVersion: >=1\.30\.0-0 which is incompatible with Kubernetes v1\.29\.9/,
    );
    assert.ok(helm(['template', chart, '--kube-version', 'v1.30.0-gke.100']).ok);
  });

  test('makes new replicas when the configuration changes, and only then', () => {
    const checksum = (values: object) =>
      find(render(values), 'Deployment').spec.template.metadata.annotations['checksum/config'];
    assert.equal(checksum({ policies: { exemptGroups: ['admins'] } }), checksum({}));
    assert.notEqual(checksum({ sidecar: { privilege: 'capabilities' } }), checksum({}));
  });

  test('tells the next command, and what to mind', () => {
    const notes = (values: object) =>
      helm(
        ['install', 'bpf-sidecar', chart, '--dry-run=client', '--namespace', 'observability'],
        values,
      ).stdout.split('NOTES:\n')[1];
    assert.match(notes({})!, /^ {2}helm test bpf-sidecar --namespace observability$/m);
    assert.doesNotMatch(notes({})!, /injection=enabled|policies\.enabled/);
    assert.match(
      notes({ admission: { optIn: true } })!,
      /kubectl label namespace NAME bpf\.sh\/injection=enabled/,
    );
    assert.match(notes({ policies: { enabled: false } })!, /policies\.enabled is false/);
    assert.match(notes({ prometheusRule: { enabled: true } })!, /serviceMonitor\.enabled is false/);
  });
});

test('the chart is of the version of the package', () => {
  const { version, appVersion } = parse(file('Chart.yaml'));
  assert.deepEqual([version, appVersion], [manifest.version, manifest.version]);
});

test("the chart's README has the values as they are", () => {
  assert.equal(
    file('README.md'),
    withChartValues(file('README.md'), file('values.yaml')),
    'run npm run build:docs',
  );
});

test('every value is documented and in the schema, and the schema has no other', () => {
  const documented = documentedValues(file('values.yaml')).map(({ path }) => path.join('.'));
  const schema = JSON.parse(file('values.schema.json'));
  const { global: _, ...properties } = schema.properties;
  const resolve = (node: { $ref?: string }) =>
    node.$ref === undefined ? node : schema.definitions[node.$ref.split('/').at(-1)!];
  const paths = (node: { $ref?: string; properties?: object }, path: string[]): string[] => {
    const { properties: inner } = resolve(node);
    return documented.includes(path.join('.')) || inner === undefined
      ? [path.join('.')]
      : Object.entries(inner).flatMap(([key, value]) => paths(value as never, [...path, key]));
  };
  assert.deepEqual(paths({ properties }, []), documented);
});

test('the resource BPF cannot have the name of a built-in probe', () => {
  const { rule } = parse(file('crds/bpf.yaml')).spec.versions[0].schema.openAPIV3Schema[
    'x-kubernetes-validations'
  ][1];
  assert.equal(rule, `!(self.metadata.name in [${builtinProbes.map((name) => `'${name}'`).join(', ')}])`);
});

describe('the policy lets sidecars have what the contract has:', { skip: noTools }, () => {
  const expressions = (values: object): string[] =>
    find(render(values), 'ValidatingAdmissionPolicy', 'bpf-sidecar-create').spec.validations.map(
      ({ expression }: { expression: string }) => expression,
    );
  const listed = (text: string) => text.replaceAll("'", '').split(', ').sort();

  test('capabilities', () => {
    const [, , expression] = expressions(matrix['programs in two namespaces']!);
    const lists = [...expression!.matchAll(/capability in \[(.*?)\]/g)].map(([, names]) => listed(names!));
    const always = neededCapabilities(builtinProbes, [], 80);
    const all = neededCapabilities(builtinProbes, ['mine'], 80);
    assert.deepEqual(lists, [always.toSorted(), all.filter((name) => !always.includes(name)).sort()]);
  });

  test('mounts', () => {
    const expression = expressions(matrix['programs in two namespaces']!).at(-1)!;
    const { programs, ...paths } = mountPaths;
    assert.deepEqual(listed(/mountPath in \[(.*?)\]/.exec(expression)![1]!), Object.values(paths).sort());
    assert.ok(expression.includes(`m.mountPath.startsWith('${programs}/')`));
  });

  test('environment', () => {
    for (const [values, refused] of [
      [{}, [environment.nodeWide]],
      [{ sidecar: { allowNodeWide: true } }, []],
    ] as const) {
      const [, , , , expression] = expressions(values);
      const [, except, pattern] = /e\.name == '(.*?)' \|\|\s+!e\.name\.matches\('(.*?)'\)/.exec(expression!)!;
      assert.deepEqual(
        Object.values(environment).filter((name) => name !== except && new RegExp(pattern!).test(name)),
        refused,
      );
    }
  });
});

/** Where it is not the default. */
const sidecarImages: Readonly<Record<string, string>> = {
  'images by digest': `registry.example/sidecar@sha256:${'b'.repeat(64)}`,
  'images by tag': 'registry.example/sidecar:1.2.3',
};

function configOf(objects: readonly Rendered[]) {
  return parseConfig(find(objects, 'ConfigMap', 'bpf-sidecar').data['config.yaml'], 'config.yaml');
}
