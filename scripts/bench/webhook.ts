import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { reviewOf } from '../node/review.ts';
import type { Row } from './row.ts';

const rate = 200;
const seconds = 10;
const warmUpSeconds = 2;

const repository = new URL('../../', import.meta.url);

/**
 * The webhook's latency at 200 reviews a second over TLS with keep-alive, on one core. Open loop: every review is
 * sent at its time, whether or not those before it are answered, so that a stall meets all that come during it.
 */
export async function benchWebhook(): Promise<Row[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bpf-sidecar-bench-'));
  const caFile = join(directory, 'ca.pem');
  const { pinned, child } = startWebhook(caFile);
  try {
    const address = await readyAddress(child.stdout);
    const post = await reviewPoster(address, await readFile(caFile));
    await drive(post, warmUpSeconds);
    const latencies = (await drive(post, seconds)).sort((a, b) => a - b);
    const what = `webhook, ${rate} reviews/s over TLS${pinned ? ' on one core' : ''}`;
    return [
      { what: `${what}: p50`, value: milliseconds(quantile(latencies, 0.5)) },
      { what: `${what}: p99`, value: milliseconds(quantile(latencies, 0.99)), target: '< 5 ms' },
    ];
  } finally {
    child.kill('SIGTERM');
    await rm(directory, { recursive: true });
  }
}

function startWebhook(caFile: string) {
  const entry = fileURLToPath(new URL('scripts/bpf-sidecar.ts', repository));
  const options = [
    '--image',
    'bpf-sidecar:bench',
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--dns-name',
    '127.0.0.1',
  ];
  const command = [process.execPath, entry, 'webhook', ...options, '--ca-out', caFile];
  const pinned = spawnSync('taskset', ['--version']).status === 0;
  const [file = '', ...argv] = pinned ? ['taskset', '--cpu-list', '0', ...command] : command;
  return { pinned, child: spawn(file, argv, { stdio: ['ignore', 'pipe', 'inherit'] }) };
}

/** Reads the log to its end, so that the webhook never waits for its reader. */
function readyAddress(log: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface({ input: log })
      .on('line', (line) => {
        if (line.includes('"msg":"ready"')) resolve(JSON.parse(line).address);
      })
      .on('close', () => reject(new Error('the webhook ended before it was ready')));
  });
}

/** Posts the review of a pod as a Deployment makes it; rejects unless the answer holds a patch. */
async function reviewPoster(address: string, ca: Buffer): Promise<() => Promise<void>> {
  const fixture = new URL('test/fixtures/webhook/pods/deployment.yaml', repository);
  const pod = parse(await readFile(fixture, 'utf8'));
  const body = JSON.stringify(reviewOf(pod, '705ab4f5-6393-11e8-b7cc-42010a800002', 'shop'));
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const agent = new Agent({ keepAlive: true, ca });
  return async () => {
    const call = request(`${address}/mutate`, { method: 'POST', agent, headers }).end(body);
    const [response] = await once(call, 'response');
    let answer = '';
    for await (const chunk of response) answer += chunk;
    if (!answer.includes('"patch"')) throw new Error(`the webhook answered without a patch: ${answer}`);
  };
}

/** Latencies in milliseconds, from the sending of a review to the end of its answer. */
function drive(post: () => Promise<void>, duration: number): Promise<number[]> {
  const start = performance.now();
  return Promise.all(
    Array.from({ length: duration * rate }, async (_, n) => {
      await delay(Math.max(0, start + (n * 1000) / rate - performance.now()));
      const sent = performance.now();
      await post();
      return performance.now() - sent;
    }),
  );
}

function quantile(sorted: number[], q: number): number {
  return sorted[Math.ceil(sorted.length * q) - 1] ?? Number.NaN;
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`;
}

if (import.meta.main) console.table(await benchWebhook());
