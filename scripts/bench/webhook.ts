import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { reviewOf } from '../node/review.ts';
import { at, note } from '../progress.ts';
import { quantile } from './quantile.ts';
import type { Row } from './row.ts';
import { askingPod, startWebhook, type Webhook } from './webhook-process.ts';

/** Reviews a second that one core has to manage. */
const target = 3000;
const connections = [1, 10, 100] as const;
/** Of each round; the first is left out, in which V8 compiles. */
const seconds = 10;
const rounds = 3;
const million = 1_000_000;

const body = JSON.stringify(reviewOf(askingPod(), '705ab4f5-6393-11e8-b7cc-42010a800002', 'shop'));

/** What the webhook manages over TLS on one core, how long a review takes, and what a million of them leave behind. */
export async function benchWebhook(): Promise<Row[]> {
  const webhook = await startWebhook({ oneCore: true });
  try {
    const on = webhook.pinned ? ' on one core' : '';
    const rows: Row[] = [];
    let reviews = 0;
    const count = async (connections: number) => {
      const load = await flood(webhook, connections);
      reviews += load.reviews;
      return load;
    };
    await count(connections[1]);
    for (const number of connections) {
      const clients = `${number} ${number === 1 ? 'connection' : 'connections'}`;
      const loads = [];
      for (let round = 0; round < rounds; round++) {
        note(`round ${round + 1} of ${rounds} with ${clients}`);
        loads.push(await count(number));
      }
      const median = loads.toSorted((a, b) => a.rate - b.rate)[Math.floor(rounds / 2)]!;
      rows.push({
        what: `webhook${on}, ${clients}: reviews/s (p50, p99)`,
        value: `${median.rate.toFixed(0)} (${median.p50}, ${median.p99})`,
        ...(number !== 1 && { target: `${target}` }),
      });
    }
    const latencies = await pace(webhook, target / 2);
    rows.push({
      what: `webhook${on}, a review at ${target / 2} a second: p50, p99`,
      value: `${quantile(latencies, 0.5).toFixed(2)}, ${quantile(latencies, 0.99).toFixed(2)} ms`,
      target: 'p99 < 10 ms',
    });
    while (reviews < million) {
      at(reviews, million, 'reviews');
      await count(connections[2]);
    }
    rows.push({
      what: `webhook, resident memory after ${reviews.toLocaleString('en')} reviews`,
      value: `${webhook.memory().toFixed(0)} MiB`,
      target: '< 120 MiB',
    });
    return rows;
  } finally {
    await webhook.stop();
  }
}

interface Load {
  reviews: number;
  /** A second. */
  rate: number;
  /** With their unit. */
  p50: string;
  p99: string;
}

/** Sends reviews over a number of connections, on each the next as soon as the one before is answered. */
async function flood({ address, pinned }: Webhook, connections: number): Promise<Load> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-bench-'));
  const script = join(directory, 'post.lua');
  writeFileSync(
    script,
    `wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [==[${body}]==]\n`,
  );
  const [program = '', ...argv] = [
    ...(pinned ? ['taskset', '--cpu-list', '1'] : []),
    ...['wrk', '--threads=1', `--connections=${connections}`, `--duration=${seconds}s`, '--latency'],
    ...[`--script=${script}`, `${address}/mutate`],
  ];
  try {
    const { stdout } = await promisify(execFile)(program, argv);
    const refused = /Non-2xx or 3xx responses: (\d+)|Socket errors: .*/.exec(stdout);
    if (refused) throw new Error(`the webhook did not answer all reviews: ${refused[0]}`);
    const found = (pattern: RegExp) => pattern.exec(stdout)![1]!;
    return {
      reviews: Number(found(/(\d+) requests in/)),
      rate: Number(found(/Requests\/sec: +([\d.]+)/)),
      p50: found(/50% +(\S+)/),
      p99: found(/99% +(\S+)/),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * Latencies in milliseconds, from the sending of a review to the end of its answer. Every review is sent at its time,
 * whether or not those before it are answered, so that a stall meets all that come during it.
 */
async function pace({ address, ca }: Webhook, rate: number): Promise<number[]> {
  // As many as an API server would use; a review that waits for one is late all the same.
  const agent = new Agent({ keepAlive: true, maxSockets: connections[2], ca });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const post = async () => {
    const call = request(`${address}/mutate`, { method: 'POST', agent, headers }).end(body);
    const [response] = await once(call, 'response');
    let answer = '';
    for await (const chunk of response) answer += chunk;
    if (!answer.includes('"patch"')) throw new Error(`the webhook answered without a patch: ${answer}`);
  };
  // The handshakes are not what is measured: an API server keeps its connections.
  await Promise.all(Array.from({ length: connections[2] }, post));
  const start = performance.now();
  const latencies = await Promise.all(
    Array.from({ length: seconds * rate }, async (_, n) => {
      await delay(Math.max(0, start + (n * 1000) / rate - performance.now()));
      const sent = performance.now();
      await post();
      return performance.now() - sent;
    }),
  );
  agent.destroy();
  return latencies;
}

if (import.meta.main) console.table(await benchWebhook());
