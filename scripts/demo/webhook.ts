import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { V1Pod } from '@kubernetes/client-node';
import type { Operation } from 'fast-json-patch';
import { type Child, failure, watch } from '../node/child.ts';
import { reviewOf } from '../node/review.ts';

/** The command line of bpf-sidecar, run from the sources. */
export const executable = [process.execPath, join(import.meta.dirname, '../bpf-sidecar.ts')];

export interface Webhook extends Child {
  url: string;
  /** The certificate of the CA that the webhook made for itself. */
  ca: string;
}

/** Starts the real webhook on a free port and waits until it is ready; `resource` is a file of BPF resources. */
export async function startWebhook(image: string, resource?: string): Promise<Webhook> {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-demo-'));
  try {
    return await start(image, join(directory, 'ca.crt'), resource);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function start(image: string, caFile: string, resource?: string): Promise<Webhook> {
  const argv = [
    ...executable,
    ...['webhook', '--image', image, '--host', '127.0.0.1', '--port', '0'],
    ...['--dns-name', 'localhost', '--dns-name', '127.0.0.1', '--ca-out', caFile],
    ...(resource === undefined ? [] : ['--programs', resource]),
  ];
  // It ends when we do, however that comes; and Ctrl-C in the terminal is for us to handle.
  const process = spawn('setpriv', ['--pdeathsig', 'TERM', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const ready = Promise.withResolvers<string>();
  const child = watch(process, (line) => {
    const entry = parseJson(line);
    if (entry?.msg === 'ready') ready.resolve(entry.address ?? '');
  });
  const url = await Promise.race([ready.promise, child.ended.then(() => undefined)]);
  if (url === undefined) throw new Error(failure('the webhook', child));
  return { ...child, url, ca: readFileSync(caFile, 'utf8') };
}

export interface Answer {
  allowed: boolean;
  patch: Operation[];
  warnings: string[];
}

/** Asks the webhook as the API server does when the pod is created; its certificate must be of its CA. */
export async function askWebhook({ url, ca }: Webhook, pod: V1Pod, signal: AbortSignal): Promise<Answer> {
  const uid = randomUUID();
  const review = reviewOf(pod, uid, pod.metadata?.namespace);
  const call = request(`${url}/mutate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ca,
    servername: 'localhost',
    // The webhook does not end at once while a connection is kept.
    agent: false,
    signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
  });
  call.end(JSON.stringify(review));
  const [message] = await once(call, 'response');
  const body = await text(message);
  if (message.statusCode !== 200)
    throw new Error(`the webhook answered with status ${message.statusCode}: ${body.slice(0, 300)}`);
  const { response } = JSON.parse(body);
  if (response.uid !== uid) throw new Error('the webhook answered another review than the one it was sent');
  const patch = response.patch ? JSON.parse(Buffer.from(response.patch, 'base64').toString()) : [];
  return { allowed: response.allowed, patch, warnings: response.warnings ?? [] };
}

function parseJson(line: string): { msg?: string; address?: string } | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
