import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parseMetricSpec } from '../../sidecar/contract/metric-spec-yaml.ts';
import { textFormat } from '../../sidecar/exposition/text.ts';
import { libc } from '../../sidecar/libbpf/native.ts';
import { startProbe } from '../../sidecar/probe.ts';
import { closeServer, createHttpServer, listen } from '../../sidecar/server.ts';
import { compileProgram } from '../bpf/compile-program.ts';
import { sidecarEnvironment, sidecarFlags } from '../image.ts';
import { lasting, placeOf } from '../node/place.ts';
import { createSandbox } from '../node/sandbox.ts';
import { at } from '../progress.ts';
import type { Row } from './row.ts';

const sizes = [100, 10_000, 100_000];
const rounds = 20;
/** The most that a family may have. */
const familySize = 10_000;
const kinds = ['HASH', 'PERCPU_HASH', 'histogram'] as const;
type Kind = (typeof kinds)[number];

/** As many loops as the verifier follows in a moment. */
const maxSlice = 1000;

/** Samples of a histogram: ten buckets, +Inf, sum and count. */
const samplesOfHistogram = 13;

const targets: Partial<Record<number, string>> = { 10000: '< 10 ms', 100000: '< 100 ms' };

/**
 * Scrapes over HTTP of so many series that a program has put into real maps, each kind and number in a process of its own
 * that runs Node as the image does: the time, the longest that the event loop did not turn, and the memory above that
 * before the first scrape.
 */
export async function benchScrape(): Promise<Row[]> {
  const rows: Row[] = [];
  const cases = kinds.flatMap((kind) => sizes.map((size) => [kind, String(size)]));
  for (const [index, words] of cases.entries()) {
    at(index, cases.length);
    const argv = [...sidecarFlags, import.meta.filename, ...words];
    const env = { ...process.env, ...sidecarEnvironment };
    const { stdout } = await promisify(execFile)(process.execPath, argv, { env });
    rows.push(...JSON.parse(stdout));
  }
  return rows;
}

async function measure(kind: Kind, size: number): Promise<Row[]> {
  const sandbox = await createSandbox();
  const keys = kind === 'histogram' ? Math.ceil(size / samplesOfHistogram) : size;
  const families = Math.ceil(keys / familySize);
  const inFamily = Math.ceil(keys / families);
  const elf = await compileProgram(program(kind, families, inFamily));
  const spec = parseMetricSpec(metrics(kind, families), 'bench');
  const context = { containerName: () => 'web', ...lasting, wantsContainer: () => true, generation: () => 0 };
  const place = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
  const probe = startProbe({ name: 'bench', elf, spec }, place, context);
  const filling = sandbox
    .addContainer('web')
    .spawn([
      'python3',
      '-c',
      'import os\nfor i in range(200):\n  try: os.getpgid(i)\n  except OSError: pass',
    ]);
  await new Promise((resolve) => filling.on('exit', resolve));
  const labels = 'namespace="default",pod="web-5d4f8c7b9-x2x7k",node="worker-1"';
  async function* body() {
    yield* textFormat.write(probe.families(), labels);
  }
  const routes = { '/metrics': () => ({ status: 200, contentType: textFormat.contentType, body: body() }) };
  const server = createHttpServer(routes, (error) => {
    throw error;
  });
  const port = await listen(server, 0);
  const resident = () => process.memoryUsage().rss / 1024 / 1024;
  try {
    libc.malloc_trim(0);
    const idle = resident();
    const client = startClient(port);
    const { lines } = await client.scrape();
    if (lines < size) throw new Error(`${lines} of ${size} series: ${probe.programs[0]?.problem}`);
    const times: number[] = [];
    let most = resident();
    const stalls = monitorEventLoopDelay({ resolution: 1 });
    stalls.enable();
    for (let round = 0; round < rounds; round++) {
      times.push((await client.scrape()).milliseconds);
      most = Math.max(most, resident());
      await delay(20);
    }
    stalls.disable();
    client.stop();
    times.sort((a, b) => a - b);
    const what = `${kind.toLowerCase().replace('_', ' ')}, ${lines.toLocaleString('en')} series`;
    const target = targets[size];
    return [
      {
        what: `scrape over HTTP: ${what}`,
        value: `${times[rounds >> 1]!.toFixed(1)} ms (p90 ${times[Math.floor(rounds * 0.9)]!.toFixed(1)} ms)`,
        ...(target !== undefined && { target }),
      },
      ...(size < 100_000
        ? []
        : [
            { what: '  longest stall', value: `${(stalls.max / 1e6).toFixed(0)} ms`, target: '< 25 ms' },
            { what: '  memory above idle', value: `${(most - idle).toFixed(0)} MiB`, target: '< 40 MiB' },
          ]),
    ];
  } finally {
    await closeServer(server);
    probe.close();
    await sandbox.destroy();
  }
}

/** What scrapes, in a process of its own, so that its work is not taken for the sidecar's. */
function startClient(port: number): { scrape(): Promise<Scrape>; stop(): void } {
  const child = fork(import.meta.filename, ['client', String(port)], { execArgv: [] });
  return {
    async scrape() {
      child.send('scrape');
      const [message] = await once(child, 'message');
      return message as Scrape;
    },
    stop: () => void child.kill(),
  };
}

interface Scrape {
  milliseconds: number;
  lines: number;
}

function beClient(port: number): void {
  process.on('message', () => {
    const start = performance.now();
    get({ port, path: '/metrics' }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => {
        const milliseconds = performance.now() - start;
        const lines = Buffer.concat(pieces).toString('latin1').split('\n').length - 1;
        process.send!({ milliseconds, lines });
      });
    });
  });
}

/** Each program fills a slice of its map when the pod calls getpgid with a number of theirs. */
function program(kind: Kind, families: number, keys: number): string {
  const type = kind === 'histogram' ? 'HASH' : kind;
  const value = kind === 'histogram' ? 'struct histogram' : '__u64';
  const slices = Math.ceil(keys / maxSlice);
  const sliceKeys = Math.ceil(keys / slices);
  const one = (index: number) => `
struct {
    __uint(type, BPF_MAP_TYPE_${type});
    __uint(max_entries, ${slices * sliceKeys});
    __type(key, struct key);
    __type(value, ${value});
} map${index} SEC(".maps");
SEC("tp_btf/sys_enter") int fill${index}(__u64 *ctx) {
    __u64 wanted = ((struct registers *)ctx[0])->di;
    if (ctx[1] != __NR_getpgid || wanted / ${slices} != ${index})
        return 0;
    for (int i = 0; i < ${sliceKeys}; i++) {
        struct key key = {.container = 7, .number = wanted % ${slices} * ${sliceKeys} + i};
        ${value} *value = bpf_map_lookup_elem(&zeros, &zero_key);
        if (value) bpf_map_update_elem(&map${index}, &key, value, BPF_ANY);
    }
    return 0;
}`;
  return `
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>
struct key { __u64 container; __u32 number; __u32 padding; };
struct histogram { __u64 duration[12]; };
struct registers { __u64 fields[14]; __u64 di; };
static __u32 zero_key;
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, ${value});
} zeros SEC(".maps");
${Array.from({ length: families }, (_, index) => one(index)).join('\n')}
`;
}

function metrics(kind: Kind, families: number): string {
  const labels =
    'labels: [{ name: container, size: 8, decoders: [{ name: cgroup }] }, { name: number, size: 4, padding: 4, decoders: [{ name: uint }] }]';
  const histogram = 'value: duration, bucket_type: exp2, bucket_max: 9, bucket_multiplier: 1e-6';
  const items = Array.from({ length: families }, (_, index) =>
    kind === 'histogram'
      ? `{ name: bench${index}_seconds, map: map${index}, ${histogram}, ${labels} }`
      : `{ name: bench${index}_total, map: map${index}, ${labels} }`,
  );
  return `metrics: { ${kind === 'histogram' ? 'histograms' : 'counters'}: [${items.join(', ')}] }`;
}

if (import.meta.main) {
  const [what, number] = process.argv.slice(2);
  if (what === 'client') beClient(Number(number));
  else console.log(JSON.stringify(await measure(what as Kind, Number(number))));
}
