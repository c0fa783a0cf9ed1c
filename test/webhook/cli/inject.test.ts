import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import jsonpatch from 'fast-json-patch';
import { parse, parseAllDocuments } from 'yaml';
import { decide } from '../../../webhook/admission/decide.ts';
import { identityOf } from '../../../webhook/admission/identity.ts';
import { buildPatch } from '../../../webhook/admission/patch.ts';
import { manifestObjects } from '../../../webhook/cli/objects.ts';
import { injectionConfig } from '../../../webhook/config.ts';
import { askingPod, fixtures, podNames, type Raw, readPod } from '../fixtures.ts';
import { run } from './executable.ts';

const image = 'example.com/bpf-sidecar:test';
const manifest = (name: string) => fileURLToPath(new URL(`manifests/${name}.yaml`, fixtures));
const inject = (name: string) => run(['inject', '-f', manifest(name), '--image', image]);
const sidecars = (spec: Raw): string[] =>
  (spec.initContainers ?? []).map(({ name }: Raw) => name).filter((name: string) => name === 'bpf-sidecar');

/** The lines of `text` that are not in `other`. */
function linesMissing(text: string, other: string): string[] {
  const have = new Set(other.split('\n'));
  return text.split('\n').filter((line) => !have.has(line));
}

/** What the webhook makes of a pod, but for the identity, which is that of the manifest. */
function admitted(pod: Raw): Raw {
  const config = injectionConfig(image);
  const decision = decide(pod, config);
  if (!decision.inject) return pod;
  const id = identityOf(manifestObjects(pod)[0]!.title);
  const patch = buildPatch(decision.pod, decision.sidecar, config.version, id);
  return jsonpatch.applyPatch(pod, patch).newDocument;
}

test('a file of several documents gets sidecars and keeps comments, order and spelling', async () => {
  const { code, stdout, stderr } = await inject('shop');
  assert.equal(code, 0);
  assert.equal(
    stderr,
    'Service web: skipped (not-a-pod)\nDeployment shop/web: injected\nConfigMap plain: skipped (not-a-pod)\n',
  );
  const source = readFileSync(manifest('shop'), 'utf8');
  assert.deepEqual(linesMissing(source, stdout), []);
  assert.ok(stdout.startsWith(source.slice(0, source.indexOf('# The web tier.'))), 'the Service to the byte');
  assert.ok(stdout.endsWith(source.slice(source.indexOf('apiVersion: v1\nkind: ConfigMap'))));
  const { spec } = (parseAllDocuments(stdout)[1]!.toJS() as Raw).spec.template;
  assert.deepEqual(
    spec.initContainers.map(({ name }: Raw) => name),
    ['bpf-sidecar', 'wait'],
  );
  assert.match(stdout, /# Wait for the database\.\n\s+- name: wait/);
});

test('every workload of a list is injected in its pod template', async () => {
  const { code, stdout, stderr } = await inject('workloads');
  assert.equal(code, 0);
  assert.deepEqual(stderr.trimEnd().split('\n'), [
    'StatefulSet db: injected',
    'DaemonSet agent: injected',
    'ReplicaSet old: injected',
    'Job once-: injected',
    'CronJob nightly: injected',
    'Pod plain: skipped (not-requested): there is no annotation bpf.sh/inject',
    'Job foreign: skipped (not-a-pod)',
  ]);
  const { items } = parse(stdout);
  const specs = items.map(({ spec }: Raw) => (spec.jobTemplate?.spec ?? spec).template?.spec ?? spec);
  assert.deepEqual(
    specs.map((spec: Raw) => sidecars(spec).length),
    [1, 1, 1, 1, 1, 0, 0],
  );
});

test('what is injected through an alias does not leak to the places that share it', async () => {
  const { code, stdout } = await inject('aliases');
  assert.equal(code, 0);
  const { items } = parse(stdout);
  assert.deepEqual(
    items.map(({ spec }: Raw) => sidecars(spec).length),
    [1, 1, 0],
  );
  assert.equal(items[1].spec.hostNetwork, true);
  assert.equal(items[1].spec.initContainers[0].ports[0].hostPort, 9387);
  assert.equal(items[0].metadata.annotations['bpf.sh/inject'], 'true');
  assert.deepEqual(items[2].spec.volumes, [
    { name: 'scripts', configMap: { name: 'scripts', defaultMode: 0o755 } },
  ]);
});

test('every pod comes out as the webhook would admit it, from YAML and from JSON', async () => {
  const expected = podNames.map((name) => admitted(readPod(name)));
  const files = podNames.flatMap((name) => ['-f', fileURLToPath(new URL(`pods/${name}.yaml`, fixtures))]);
  const fromYaml = await run(['inject', ...files, '--image', image]);
  assert.equal(fromYaml.code, 0);
  assert.deepEqual(
    parseAllDocuments(fromYaml.stdout).map((document) => document.toJS()),
    expected,
  );
  const list = { apiVersion: 'v1', kind: 'List', items: podNames.map(readPod) };
  const fromJson = await run(['inject', '-f', '-', '--image', image], JSON.stringify(list));
  assert.equal(fromJson.code, 0);
  assert.deepEqual(JSON.parse(fromJson.stdout), { ...list, items: expected });
});

test('injecting twice changes nothing', async () => {
  const once = await inject('shop');
  const twice = await run(['inject', '-f', '-', '--image', image], once.stdout);
  assert.equal(twice.code, 0);
  assert.equal(twice.stdout, once.stdout);
  assert.match(twice.stderr, /^Deployment shop\/web: skipped \(already-injected\)/m);
});

test('an object that cannot be injected is named, the others are injected, and the exit code is 1', async () => {
  const { code, stdout, stderr } = await inject('refused');
  assert.equal(code, 1);
  assert.match(stderr, /^Pod busy: skipped \(port-conflict\): container "web" declares port 9387\/TCP; .+$/m);
  assert.match(stderr, /^Pod fine: injected$/m);
  assert.deepEqual(
    parseAllDocuments(stdout).map((document) => sidecars((document.toJS() as Raw).spec).length),
    [0, 1],
  );
});

test('annotations on a workload itself are named with the place where they belong', async () => {
  const { spec } = askingPod();
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: askingPod().metadata,
    spec: { template: { spec } },
  };
  const { code, stdout, stderr } = await run(['inject', '-f', '-'], JSON.stringify(job));
  assert.equal(code, 1);
  assert.equal(stdout, JSON.stringify(job));
  assert.equal(
    stderr,
    'Job web: skipped (misplaced-annotation): annotation bpf.sh/inject has no effect on the workload itself; put it into spec.template.metadata.annotations\n',
  );
});

test('what is remarkable about an injected pod is told', async () => {
  const { code, stderr } = await run(
    ['inject', '-f', '-'],
    JSON.stringify(askingPod({}, { hostNetwork: true })),
  );
  assert.equal(code, 0);
  assert.match(
    stderr,
    /^Pod web: injected; the pod is on its node's network, where the sidecar takes port 9387,/,
  );
});

test('an annotation that is no string is named with the way out', async () => {
  const { code, stderr } = await run(
    ['inject', '-f', '-'],
    JSON.stringify(askingPod({ 'metrics-port': 9500 })),
  );
  assert.equal(code, 1);
  assert.match(stderr, /bpf\.sh\/metrics-port="9500": must be a string; put the value in quotes/);
});

const unreadable: [what: string, argv: string[], input: string, message: RegExp][] = [
  ['no file', [], '', /-f is missing/],
  [
    'a file that does not exist',
    ['-f', 'no-such-file.yaml'],
    '',
    /no-such-file\.yaml: cannot be read: ENOENT/,
  ],
  ['an unknown option', ['-f', '-', '--force'], '', /Unknown option '--force'; see --help/],
  ['an image with a space', ['-f', '-', '--image', 'a b'], '', /--image must be an image reference/],
  ['broken YAML', ['-f', '-'], 'a: [\n', /stdin: is neither JSON nor YAML: .* at line 2, column 1/],
  ['a key twice', ['-f', '-'], 'a: 1\na: 2\n', /Map keys must be unique at line 2, column 1/],
  ['an alias to nothing', ['-f', '-'], 'a: *b\n', /Unresolved alias .*: b/],
  ['an alias to itself', ['-f', '-'], 'a: &a [*a]\n', /stdin: is neither JSON nor YAML: .*circular/],
];

for (const [what, argv, input, message] of unreadable) {
  test(`${what} is one sentence, no output and exit code 2`, async () => {
    const { code, stdout, stderr } = await run(['inject', ...argv], input);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, message);
    assert.match(stderr, /^bpf-sidecar inject: [^\n]+\n$/);
  });
}

test('input that is all comments passes through', async () => {
  const { code, stdout } = await run(['inject', '-f', '-'], '# nothing here\n');
  assert.deepEqual([code, stdout], [0, '# nothing here\n']);
});
