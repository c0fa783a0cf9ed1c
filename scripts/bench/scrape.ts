import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ScalarMetric } from '../../sidecar/contract/metric-spec.ts';
import { textFormat } from '../../sidecar/exposition/text.ts';
import { closeObject, findMap, loadObject, openObject } from '../../sidecar/libbpf/object.ts';
import { runProgram } from '../../sidecar/libbpf/run.ts';
import { createMapReader } from '../../sidecar/maps/read.ts';
import { createFamilyReader } from '../../sidecar/series/family-reader.ts';
import { closeServer, createHttpServer, listen } from '../../sidecar/server.ts';
import { type Arch, compileObject } from '../bpf/compile.ts';
import { sidecarFlags } from '../image.ts';
import type { Row } from './row.ts';

const seriesCount = 10_000;
const rounds = 100;

const program = `
#include "kernel.bpf.h"
struct key { __u64 container; __u32 number; __u32 padding; };
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ${seriesCount});
    __type(key, struct key);
    __type(value, __u64);
} events_total SEC(".maps");

SEC("raw_tp")
int fill(void *ctx) {
    for (int i = 0; i < ${seriesCount}; i++) {
        struct key key = {.container = 7, .number = i};
        __u64 value = i;
        bpf_map_update_elem(&events_total, &key, &value, BPF_ANY);
    }
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
`;

const metric: ScalarMetric = {
  type: 'counter',
  name: 'bpf_events_total',
  help: 'Events.',
  map: 'events_total',
  labels: [
    { name: 'container', size: 8, padding: 0, decoders: [{ name: 'cgroup' }] },
    { name: 'number', size: 4, padding: 4, decoders: [{ name: 'uint' }] },
  ],
};

/** A scrape of 10,000 series from a real map, in a process of its own that runs Node as the image does. */
export async function benchScrape(): Promise<Row[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [...sidecarFlags, import.meta.filename]);
  return JSON.parse(stdout);
}

async function measure(): Promise<Row[]> {
  const object = openObject('events', await compile());
  loadObject(object);
  runProgram(object.programs[0]!);
  const map = findMap(object, 'events_total');
  const readMap = createMapReader(map);
  const layout = {
    keySize: map.keySize,
    valueSize: map.valueSize,
    created: Date.now() / 1000,
    member: () => undefined,
  };
  const context = { containerName: () => 'web', wantsContainer: () => true, generation: () => 0 };
  const family = createFamilyReader(metric, layout, context);
  const constantLabels = 'namespace="default",pod="web-5d4f8c7b9-x2x7k",node="worker-1"';
  const scrape = () => textFormat.render([family.read(readMap())], constantLabels);
  const routes = { '/metrics': () => ({ status: 200, contentType: textFormat.contentType, body: scrape() }) };
  const server = createHttpServer(routes, (error) => {
    throw error;
  });
  const url = `http://127.0.0.1:${await listen(server, 0)}/metrics`;
  try {
    const what = `scrape of ${seriesCount.toLocaleString('en')} series`;
    return [
      await row(`${what}: batch read of the map alone`, readMap),
      await row(`${what}: read, series and text`, scrape, '< 15 ms'),
      await row(`${what}: all of it over HTTP`, async () => (await fetch(url)).arrayBuffer()),
    ];
  } finally {
    await closeServer(server);
    closeObject(object);
  }
}

async function compile(): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-bench-'));
  try {
    const source = join(directory, 'events.bpf.c');
    writeFileSync(source, program);
    await compileObject(source, `${source}.o`, process.arch as Arch);
    return readFileSync(`${source}.o`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function row(what: string, action: () => unknown, target?: string): Promise<Row> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await action();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(rounds * share)]!.toFixed(2);
  return { what, value: `${at(0.5)} ms (p90 ${at(0.9)} ms)`, ...(target !== undefined && { target }) };
}

if (import.meta.main) console.log(JSON.stringify(await measure()));
