import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import manifest from '../../package.json' with { type: 'json' };
import { withMetricTables } from '../../scripts/docs/metric-tables.ts';
import { readAnnotations } from '../../sidecar/contract/annotations.ts';
import { neededCapabilities } from '../../sidecar/contract/capabilities.ts';
import { parseMetricSpec } from '../../sidecar/contract/metric-spec-yaml.ts';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { documents, fences, firstCells, read, tableAfter } from './documents.ts';

const root = join(import.meta.dirname, '../..');

/** The names that a message tells to be allowed. */
function allowed(message: string): string[] {
  const [, names = ''] = /(?:allowed are|must be one of) ((?:[-\w]+, )+)/.exec(message) ?? [];
  return names.split(', ').slice(0, -1);
}

function assertListed(names: Iterable<string>, listed: readonly string[]): void {
  assert.deepEqual(
    [...names].filter((name) => !listed.includes(name)),
    [],
    'is in the code and not in the document',
  );
}

test('the annotations document has every annotation', () => {
  const [problem] = readAnnotations({ 'bpf.sh/': '' }).problems;
  const names = allowed(problem!.reason).map((name) => `bpf.sh/${name}`);
  assert.ok(names.includes('bpf.sh/inject'));
  assertListed(names, firstCells('docs/annotations.md'));
});

test('the README has every npm script', () => {
  const names = Object.keys(manifest.scripts)
    .filter((name) => !name.startsWith('pre'))
    .map((name) => (name === 'test' ? 'npm test' : `npm run ${name}`));
  assertListed(names, firstCells('README.md'));
});

test('the README has every probe', () => assertListed(builtinProbes, firstCells('README.md')));

test('the security document has the capabilities of the contract', () => {
  const rows = tableAfter('docs/security.md', 'no other capabilities than its probes need');
  const always = neededCapabilities([], [], 1024);
  const more = (probes: readonly string[], programs: readonly string[], port: number) =>
    neededCapabilities(probes, programs, port)
      .filter((name) => !always.includes(name))
      .join(', ');
  const probes = Map.groupBy(builtinProbes, (probe) => more([probe], [], 1024));
  assert.deepEqual(rows, [
    ['always', always.join(', ')],
    ...[...probes]
      .filter(([needed]) => needed !== '')
      .map(([needed, names]) => [names.map((name) => `\`${name}\``).join(', '), needed]),
    ["programs of a user's own", more([], ['mine'], 1024)],
    ['`bpf.sh/metrics-port` below 1024', more([], [], 1023)],
  ]);
});

test('the metric spec document has every decoder', () => {
  const spec = 'metrics: {counters: [{name: a_total, labels: [{name: b, size: 8, decoders: [{name: c}]}]}]}';
  assert.throws(
    () => parseMetricSpec(spec, 'spec'),
    ({ message }: Error) => {
      assert.ok(allowed(message).includes('uint'));
      assertListed(allowed(message), firstCells('docs/metric-spec.md'));
      return true;
    },
  );
});

test('the metrics document has the metrics as the specs and the code have them', () => {
  const document = read('docs/metrics.md');
  assert.equal(document, withMetricTables(document), 'run npm run build:docs');
});

test('each probe has a metric spec and a document, whose queries are of metrics that there are', () => {
  const specs = readdirSync(join(root, 'bpf')).filter((name) => name.endsWith('.yaml'));
  assert.deepEqual(specs.map((name) => name.replace('.yaml', '')).sort(), [...builtinProbes].sort());
  const names = firstCells('docs/metrics.md');
  for (const document of ['docs/metrics.md', ...builtinProbes.map((probe) => `docs/probes/${probe}.md`)]) {
    const queries = fences(document, 'promql');
    assert.ok(queries.length > 0, `${document} has no query`);
    for (const query of queries)
      for (const [name] of query.matchAll(/\bbpf_\w+/g))
        assert.ok(names.includes(name.replace(/_(bucket|sum|count)$/, '')), `${name} in ${query}`);
  }
});

test('every link between documents leads somewhere', () => {
  for (const document of documents)
    for (const [, link = ''] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (link.startsWith('https://')) continue;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? document : join(dirname(document), path);
      assert.ok(existsSync(join(root, target)), `${link} in ${document}`);
      if (anchor !== undefined) assert.ok(anchors(target).includes(anchor), `${link} in ${document}`);
    }
});

/** The anchors that a forge makes of headings. */
function anchors(document: string): string[] {
  return [...read(document).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^-\w ]/g, '')
      .replaceAll(' ', '-'),
  );
}

test('what shows the promises of the reliability document is there', () => {
  const shown = [...read('docs/reliability.md').matchAll(/`((?:test|webhook)\/[\w./-]+)`/g)].map(
    ([, path]) => path!,
  );
  assert.ok(shown.length > 20);
  assert.deepEqual(
    shown.filter((path) => !existsSync(join(root, path))),
    [],
  );
});
