import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import type { NamespacePrograms } from '../../webhook/programs/resolve.ts';
import { readProgram } from '../../webhook/programs/resource.ts';
import {
  parseOpenMetrics,
  promtoolComplaints,
  promtoolMissing,
  pythonClientMissing,
} from '../support/exposition.ts';
import { request } from '../support/http.ts';
import { type ObservedPod, output, podFor } from '../support/pod.ts';
import { writing } from '../support/work.ts';

const directory = join(import.meta.dirname, '../../examples/kube-bpf');
const readme = readFileSync(join(directory, 'README.md'), 'utf8');

/** What the README shows in fences of shell. */
const commands = [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, text]) => text!);
const lines = readme.slice(readme.indexOf('    # HELP')).replace(/^ {4}/gm, '');

/** The BPF resources of the examples, as the webhook reads them. */
const programs: NamespacePrograms = {
  resources: new Map(
    ['packets.yaml', 'writes.yaml'].map((file) => {
      const { metadata, spec } = parse(readFileSync(join(directory, file), 'utf8'));
      return [metadata.name, readProgram(metadata.name, spec)];
    }),
  ),
};

/** What the README's commands make: the objects, and for each ConfigMap a directory with its keys. */
function followReadme(t: TestContext): Record<string, string> {
  const root = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const file of readdirSync(directory)) copyFileSync(join(directory, file), join(root, file));
  const steps = commands[0]!.split('\n');
  const compile = steps.filter((command) => command.startsWith('clang'));
  assert.equal(compile.length, 2);
  execFileSync('sh', ['-ec', compile.join('\n')], { cwd: root });
  const configMaps = steps.flatMap((command) => {
    const [, name, options] = /^kubectl create configmap (\S+) (.*)$/.exec(command) ?? [];
    if (name === undefined) return [];
    const configMap = join(root, 'configmaps', name);
    mkdirSync(configMap, { recursive: true });
    for (const [, file] of options!.matchAll(/--from-file=(\S+)/g))
      copyFileSync(join(root, file!), join(configMap, file!));
    return [[name, configMap]];
  });
  return Object.fromEntries(configMaps);
}

/** A pod that asks for the programs, as the webhook injects it. */
function podWithExamples(t: TestContext): Promise<ObservedPod> {
  return podFor(t, {
    probes: '',
    node: '127.0.0.1',
    annotations: { 'bpf.sh/programs': 'test,writes' },
    programs,
    configMaps: followReadme(t),
  });
}

/** Sends packets whose contents nobody understands, and which nobody answers therefore. */
const packets = `
import socket, sys
for protocol, count in ((2, 1), (6, 551), (17, 15930)):
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    for _ in range(count): sender.sendto(b'\\x00' * 20, (sys.argv[1], 0))
`;

test("the packet counter prints the lines of kube-bpf's talk", async (t) => {
  const pod = await podWithExamples(t);
  const web = pod.addContainer('web');
  const gateway = await output(web, 'sh', '-c', "ip route | awk '/default/ {printf $3}'");
  await output(web, 'python3', '-c', packets, gateway);
  // Scrapes are packets of the pod too: this one has come when the kernel has seen all that was sent.
  const { text } = await request(pod.url('/metrics'));
  const [, filter] = commands[1]!.split(/\| *grep/);
  const printed = execFileSync('sh', ['-c', `grep ${filter}`], { input: text, encoding: 'utf8' });
  const withoutTcp = (shown: string) => shown.replace(/(key="00006".*\}) \d+/, '$1 …');
  assert.equal(withoutTcp(printed), withoutTcp(lines));
  // The TCP of the startup probe and of the scrape comes on top.
  const [, tcp] = /key="00006".*\} (\d+)/.exec(printed) ?? [];
  assert.ok(Number(tcp) > 551 && Number(tcp) < 651, tcp);
});

test('the write counter counts calls and bytes by container and command', async (t) => {
  const pod = await podWithExamples(t);
  await output(pod.addContainer('web'), ...writing(4711));
  const { value } = await pod.scrape();
  const labels = { container: 'web', command: 'dd' };
  assert.equal(value('demo_writes_total', labels), 4711);
  assert.equal(value('demo_written_bytes_total', labels), 4711);
  assert.equal(value('demo_writes_uncounted_total'), 0);
});

test('both strict parsers read what the examples print', async (t) => {
  if (promtoolMissing || pythonClientMissing) return t.skip(promtoolMissing || pythonClientMissing || '');
  const pod = await podWithExamples(t);
  await output(pod.addContainer('web'), ...writing(7));
  const { text } = await request(pod.url('/metrics'));
  const openMetrics = await request(pod.url('/metrics'), {
    headers: { accept: 'application/openmetrics-text' },
  });
  const names = parseOpenMetrics(openMetrics.text).map(({ name }) => name);
  for (const name of ['test_packets', 'demo_writes_total', 'demo_written_bytes_total']) {
    assert.ok(text.includes(`\n${name}{`), name);
    assert.ok(names.includes(name), name);
  }
  // kube-bpf's own name for the counter, which promtool would rather see end with _total.
  assert.equal(promtoolComplaints(text), 'test_packets counter metrics should have "_total" suffix\n');
});
