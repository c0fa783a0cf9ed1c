import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { type Arch, compileObject } from '../../scripts/bpf/compile.ts';
import { cgroupRoot } from '../../scripts/node/cgroups.ts';
import { lasting } from '../../scripts/node/place.ts';
import { createSandbox } from '../../scripts/node/sandbox.ts';
import { parseMetricSpec } from '../../sidecar/contract/metric-spec-yaml.ts';
import { cgroupId } from '../../sidecar/pod/cgroups.ts';
import { startProbe } from '../../sidecar/probe.ts';
import { decide } from '../../webhook/admission/decide.ts';
import { injectionConfig } from '../../webhook/config.ts';
import { output } from '../support/pod.ts';
import { run } from '../webhook/cli/executable.ts';
import { block, documents, fences, read } from './documents.ts';

const config = injectionConfig('example.com/bpf-sidecar:test');

for (const command of ['', 'run ', 'webhook ', 'inject ', 'uninject ', 'check ', 'top ']) {
  test(`the document's help of "bpf-sidecar ${command}--help" is the real one`, async () => {
    const { stdout } = await run([...command.split(' ').filter(Boolean), '--help']);
    assert.equal(block('docs/cli.md', `output: ${command}--help`), stdout);
  });
}

test("the README's Deployment is injected with the output that the README shows", async () => {
  const [deployment = ''] = fences('README.md', 'yaml');
  const { code, stdout, stderr } = await run(['inject', '-f', '-'], deployment);
  assert.equal(code, 0);
  const [command, ...shown] = block('README.md', 'output: inject deployment.yaml').split(/(?<=\n)/);
  assert.match(command!, /^\$ npm run --silent bpf-sidecar -- inject -f deployment\.yaml\n$/);
  assertExcerpt(shown.join(''), stderr + stdout);
});

test('the pod of the annotations document gets its sidecar', () => {
  const [pod = ''] = fences('docs/annotations.md', 'yaml');
  assert.ok(decide(parse(pod), config).inject);
});

test('each bad value of the annotations document is answered as it says', () => {
  const [, table = ''] = read('docs/annotations.md').split('| Value | Said |');
  const rows = [...table.matchAll(/^\| `([\w-]+): ([^`]+)` \| `([^`]+)` \|$/gm)];
  assert.ok(rows.length > 10);
  for (const [row, name = '', value = '', said] of rows) {
    const message = complaint({ 'bpf.sh/inject': 'true', [`bpf.sh/${name}`]: parse(value) });
    assert.ok(message.startsWith(`annotation bpf.sh/${name}=`), row);
    assert.ok(message.endsWith(`: ${said}`), `${row} is answered: ${message}`);
  }
});

test('the warning of the annotations document is the real one', () => {
  assert.equal(
    block('docs/annotations.md', 'output: the warning of probes: netwrok'),
    `bpf-sidecar not injected (invalid-annotation): ${complaint({ 'bpf.sh/probes': 'netwrok' })}\n`,
  );
});

test("the metric spec document's probe compiles, fits its spec, and counts what it says", async () => {
  const sandbox = await createSandbox({});
  try {
    const [web, sidecar] = ['web', 'bpf-sidecar'].map((name) => sandbox.addContainer(name));
    const pod = {
      path: sandbox.cgroup,
      level: relative(cgroupRoot(), sandbox.cgroup).split('/').length,
      id: cgroupId(sandbox.cgroup),
      sidecar: cgroupId(sidecar!.cgroup),
    };
    const names = new Map([[cgroupId(web!.cgroup), 'web']]);
    const spec = parseMetricSpec(block('docs/metric-spec.md', 'example: execs.yaml'), 'execs.yaml');
    const source = { name: 'execs', elf: await compile('execs.bpf.c'), spec };
    const probe = startProbe(source, pod, {
      containerName: (id) => names.get(id) ?? '',
      ...lasting,
      wantsContainer: () => true,
      generation: () => 0,
    });
    try {
      assert.deepEqual(probe.programs, [{ name: 'process_exec', section: 'tp_btf/sched_process_exec' }]);
      for (let i = 0; i < 5; i++) await output(web!, '/bin/true');
      const execs = probe.read().find(({ name }) => name === 'bpf_execs_total');
      const series = [...execs!.series].find(({ labels }) => labels === 'container="web",command="true"');
      assert.ok(series && 'value' in series);
      assert.equal(series.value, 5);
    } finally {
      probe.close();
    }
  } finally {
    await sandbox.destroy();
  }
});

test('the example of a histogram with a key for each bucket is a metric spec', () => {
  const { metrics } = parseMetricSpec(block('docs/metric-spec.md', 'example: keyed buckets'), 'spec');
  assert.deepEqual(
    metrics.map(({ name }) => name),
    ['bpf_bio_latency_seconds'],
  );
});

test('the example of the other types is a metric spec', () => {
  const { metrics } = parseMetricSpec(block('docs/metric-spec.md', 'example: other types'), 'spec');
  assert.deepEqual(
    metrics.map(({ type, name }) => [type, name]),
    [
      ['summary', 'bpf_sleep_seconds'],
      ['stateset', 'bpf_link_state'],
      ['info', 'bpf_command_info'],
    ],
  );
});

test('the metric spec document has every type of metric', () => {
  assert.throws(
    () => parseMetricSpec('metrics: {}', 'spec'),
    ({ message }: Error) => {
      const [, sections = ''] = / in one of (.*)$/.exec(message) ?? [];
      assert.ok(sections.split(', ').includes('counters'));
      for (const section of sections.split(', '))
        assert.ok(read('docs/metric-spec.md').includes(`| \`${section}\` |`), section);
      return true;
    },
  );
});

test('a mistake in a spec is told as the document shows', () => {
  const spec = block('docs/metric-spec.md', 'example: execs.yaml').replace('size: 16', 'size: 0');
  const [message] = block('docs/metric-spec.md', 'output: a mistake in a spec').split('\n');
  assert.throws(() => parseMetricSpec(spec, 'execs.yaml'), { message });
});

test('Prometheus understands every query of the documents', () =>
  inTemporaryDirectory((directory) => {
    const queries = documents.flatMap((document) => fences(document, 'promql'));
    assert.ok(queries.length > 10);
    const rules = queries.map((expr, index) => ({ record: `query:${index}`, expr }));
    const file = join(directory, 'rules.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'queries', rules }] }));
    const { status, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }));

function compile(example: string): Promise<Buffer> {
  return inTemporaryDirectory(async (directory) => {
    const source = join(directory, example);
    writeFileSync(source, block('docs/metric-spec.md', `example: ${example}`));
    await compileObject(source, `${source}.o`, process.arch as Arch);
    return readFileSync(`${source}.o`);
  });
}

async function inTemporaryDirectory<T>(work: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What is said of a pod whose annotations are not accepted. */
function complaint(annotations: Record<string, unknown>): string {
  const decision = decide({ metadata: { annotations }, spec: { containers: [{ name: 'web' }] } }, config);
  assert.ok(!decision.inject);
  assert.equal(decision.reason, 'invalid-annotation');
  return decision.messages.join('; ');
}

/** That the parts of `shown`, between lines of an ellipsis, are in `all`, in this order. */
function assertExcerpt(shown: string, all: string): void {
  let rest = all;
  for (const part of shown.split(/^\s*…\n/m)) {
    const at = rest.indexOf(part);
    assert.ok(at >= 0, `not in the output, or not here:\n${part}`);
    rest = rest.slice(at + part.length);
  }
}
