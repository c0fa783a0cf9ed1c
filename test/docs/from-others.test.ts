import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { ownHooks } from '../../sidecar/programs/hooks/hooks.ts';
import { readProgram } from '../../webhook/programs/resource.ts';
import { startCompiled } from '../support/author.ts';
import { barePodFor } from '../support/bare-pod.ts';
import { request } from '../support/http.ts';
import { output, podFor } from '../support/pod.ts';
import { writing } from '../support/work.ts';
import { block, fences } from './documents.ts';
import { compilationOf, filesOf } from './steps.ts';

const ofExporter = 'docs/from-ebpf_exporter.md';
const ofKubeBpf = 'docs/from-kube-bpf.md';

/** Follows the document to its ConfigMap, as a folder with a file for each key. */
function makeConfigMap(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [file, text] of filesOf(ofExporter)) writeFileSync(join(root, file), text);
  execFileSync('sh', ['-ec', compilationOf(ofExporter)], { cwd: root });
  const [, create = ''] = fences(ofExporter, 'sh');
  const keys = [...create.matchAll(/--from-file=(\S+)/g)].map(([, file]) => file!);
  mkdirSync(join(root, 'keys'));
  for (const key of keys) execFileSync('cp', [key, 'keys'], { cwd: root });
  return join(root, 'keys');
}

test('the config and program for ebpf_exporter give the series that the document shows', async (t) => {
  const { metadata, spec } = parse(block(ofExporter, 'file: write-sizes-bpf.yaml'));
  const pod = await podFor(t, {
    node: 'n1',
    annotations: { 'bpf.sh/probes': '', ...parse(block(ofExporter, 'example: annotations')) },
    programs: { resources: new Map([[metadata.name, readProgram(metadata.name, spec)]]) },
    configMaps: { 'write-sizes': makeConfigMap(t) },
  });
  await output(pod.addContainer('web'), ...writing(13));
  const { text } = await request(pod.url('/metrics'));
  const named = (line: string) =>
    line.replace(/namespace="[^"]*",pod="[^"]*"/, 'namespace="default",pod="shop"');
  const lines = text.split('\n').map(named);
  const shown = block(ofExporter, 'output: series').trimEnd().split('\n');
  assert.deepEqual(
    shown.filter((line) => line !== '…' && !lines.includes(line)),
    [],
  );
});

test('the resource of kube-bpf is one that pods can have', () => {
  const { metadata, spec } = parse(block(ofKubeBpf, 'example: a resource of kube-bpf'));
  assert.deepEqual(readProgram(metadata.name, spec).object, {
    kind: 'ConfigMap',
    name: 'pkts-config',
    key: 'pkts.o',
  });
});

test('what of a resource of kube-bpf is not accepted is refused as the document shows', () => {
  const { metadata } = parse(block(ofKubeBpf, 'example: a resource of kube-bpf'));
  const [message] = block(ofKubeBpf, 'output: a program in the resource').split('\n');
  assert.throws(() => readProgram(metadata.name, { program: { value: 'f0VMRg' } }), { message });
  const reference = { name: 'pkts-config', key: 'pkts.o', optional: true };
  assert.throws(
    () => readProgram(metadata.name, { program: { valueFrom: { configMapKeyRef: reference } } }),
    {
      message: /unknown field "optional"/,
    },
  );
});

/** A counter of packets, with its map and its section as they are given. */
const counter = (map: string, section: string) => `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
${map}
SEC("${section}") int count(struct __sk_buff *skb) {
    __u32 key = 6;
    __u64 one = 1, *count = bpf_map_lookup_elem(&packets, &key);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        bpf_map_update_elem(&packets, &key, &one, BPF_ANY);
    return 0;
}`;
const oldMap = `
struct bpf_map_def { unsigned int type, key_size, value_size, max_entries, map_flags; };
struct bpf_map_def SEC("maps/packets") packets = {
    .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 256,
};`;
const newMap = `
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, __u64);
} packets SEC(".maps");`;

test('an object of 2019 needs the changes that the document tells of, and no others', async (t) => {
  const { pod } = await barePodFor(t, { network: true });
  const start = async (map: string, section: string) => {
    const probe = startCompiled(
      await compileProgram(counter(map, section)),
      pod,
      ownHooks,
      'metrics: { counters: [{ name: packets }] }',
    );
    t.after(() => probe.close());
    return probe.programs;
  };
  await assert.rejects(start(oldMap, 'socket'), /cannot be (opened|loaded)/);
  const [refused] = await start(newMap, 'socket/prog');
  assert.match(refused?.problem ?? '', /SEC\("socket\/prog"\) is of a kind that cannot be attached/);
  const [attached] = await start(newMap, 'socket');
  assert.equal(attached?.problem, undefined);
});
