import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { askingPod, fixtures, podNames, readPod, withoutEmpty } from '../fixtures.ts';
import { run } from './executable.ts';

const manifest = (name: string) => fileURLToPath(new URL(`manifests/${name}.yaml`, fixtures));
const inject = (files: string[]) => run(['inject', ...files.flatMap((file) => ['-f', file])]);
const uninject = (source: string) => run(['uninject', '-f', '-'], source);
/** As kubectl understands it. */
const values = (yaml: string) =>
  parseAllDocuments(yaml, { version: '1.1' }).map((document) => document.toJS());

for (const name of ['shop', 'workloads', 'aliases']) {
  test(`what was injected into the manifest ${name} is taken out again`, async () => {
    const injected = await inject([manifest(name)]);
    const { code, stdout } = await uninject(injected.stdout);
    assert.equal(code, 0);
    assert.deepEqual(values(stdout), values(readFileSync(manifest(name), 'utf8')));
  });
}

test('comments, order and spelling stay', async () => {
  const source = readFileSync(manifest('shop'), 'utf8');
  const injected = await inject([manifest('shop')]);
  const { stdout, stderr } = await uninject(injected.stdout);
  const lines = (text: string) => text.split('\n').map((line) => line.trim());
  assert.deepEqual(lines(stdout), lines(source));
  assert.equal(
    stderr,
    'Service web: skipped: there is no sidecar in it\nDeployment shop/web: uninjected\nConfigMap plain: skipped: there is no sidecar in it\n',
  );
});

test('every pod comes out as it was, from YAML and from JSON', async () => {
  const pods = podNames.map(readPod).map(withoutEmpty);
  const injected = await inject(
    podNames.map((name) => fileURLToPath(new URL(`pods/${name}.yaml`, fixtures))),
  );
  assert.deepEqual(values((await uninject(injected.stdout)).stdout), pods);

  const list = { apiVersion: 'v1', kind: 'List', items: pods };
  const asJson = await run(['inject', '-f', '-'], JSON.stringify(list));
  assert.deepEqual(JSON.parse((await uninject(asJson.stdout)).stdout), list);
});

test('uninjecting twice changes nothing, to the byte', async () => {
  const injected = await inject([manifest('shop')]);
  const once = await uninject(injected.stdout);
  assert.equal((await uninject(once.stdout)).stdout, once.stdout);
});

test('what only looks like the sidecar stays', async () => {
  const pods = [
    askingPod({}, { initContainers: [{ name: 'bpf-sidecar', image: 'mine' }] }),
    askingPod(
      { status: '{"container":"web","volumes":["data","bpf-sidecar-cgroup"]}' },
      { volumes: [{ name: 'data' }, { name: 'bpf-sidecar-data' }, { name: 'bpf-sidecar-cgroup' }] },
    ),
    askingPod({ status: 'nonsense' }, { volumes: [{ name: 'bpf-sidecar-cgroup' }] }),
  ];
  const { stdout } = await uninject(JSON.stringify({ kind: 'List', apiVersion: 'v1', items: pods }));
  const { items } = parse(stdout);
  assert.deepEqual([items[0], items[2]], [pods[0], pods[2]]);
  assert.deepEqual(items[1].spec.containers, pods[1].spec.containers);
  assert.deepEqual(items[1].spec.volumes, [{ name: 'data' }, { name: 'bpf-sidecar-data' }]);
});

test('no file is one sentence and exit code 2', async () => {
  assert.deepEqual(await run(['uninject']), {
    code: 2,
    stdout: '',
    stderr: 'bpf-sidecar uninject: -f is missing; see --help\n',
  });
});
