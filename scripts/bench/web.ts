import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { defaultProbes } from '../../sidecar/contract/probes.ts';
import { type Container, createSandbox } from '../node/sandbox.ts';
import type { Row } from './row.ts';
import { answers, startSidecar } from './sidecar.ts';

const port = 8080;
const rounds = 9;
/** Of each of the two measurements of a round. */
const seconds = 4;
const connections = 32;

/** An application does some work for a request; a file from memory is the least that a server can do. */
const application = `
  import express from ${JSON.stringify(import.meta.resolve('express'))};
  const items = Array.from({ length: 20 }, (_, id) => ({ id, name: 'item ' + id, price: id * 1.5 }));
  express().get('/page', (request, response) => response.json({ items, at: Date.now() })).listen(${port});
`;

interface Load {
  what: string;
  /** Starts the server in its container, with a directory of its own. */
  start(container: Container, directory: string): void;
  headers: readonly string[];
  target?: string;
}

const loads: readonly Load[] = [
  { what: 'an Express application', start: startApplication, headers: [], target: '< 2 %' },
  { what: 'nginx, 10 KiB from memory', start: startNginx, headers: [] },
  {
    what: 'nginx, 10 KiB and a connection for each',
    start: startNginx,
    headers: ['Connection: close'],
  },
];

/**
 * What the default probes cost a busy web server with one thread: its requests per second with the sidecar beside it and
 * without, in turn, so that a slow moment of the machine meets both alike.
 */
export async function benchWeb(probes: readonly string[] = defaultProbes): Promise<Row[]> {
  const rows: Row[] = [];
  for (const load of loads) rows.push(await measure(load, probes));
  return rows;
}

async function measure({ what, start, headers, target }: Load, probes: readonly string[]): Promise<Row> {
  const sandbox = await createSandbox({ network: true });
  try {
    const directory = join(sandbox.volumes, 'web');
    mkdirSync(directory);
    start(sandbox.addContainer('web'), directory);
    const page = `http://${sandbox.address}:${port}/page`;
    while (!(await answers(page))) await delay(10);
    const losses: number[] = [];
    const rates: number[] = [];
    await requestsPerSecond(page, headers);
    for (let round = 0; round < rounds; round++) {
      const before = round % 2 === 0 ? await requestsPerSecond(page, headers) : undefined;
      const sidecar = await startSidecar(sandbox, probes);
      const beside = await requestsPerSecond(page, headers);
      await sidecar.stop();
      const alone = before ?? (await requestsPerSecond(page, headers));
      rates.push(alone);
      losses.push(1 - beside / alone);
    }
    losses.sort((a, b) => a - b);
    const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
    return {
      what: `the default probes beside ${what}: of ${Math.round(median(rates)).toLocaleString('en')} requests/s are lost`,
      value: `${percent(median(losses))} (${percent(losses[0]!)} to ${percent(losses.at(-1)!)})`,
      ...(target !== undefined && { target }),
    };
  } finally {
    await sandbox.destroy();
  }
}

function startApplication(container: Container): void {
  container.spawn([process.execPath, '--input-type=module', '-e', application], {
    env: { NODE_ENV: 'production' },
    stdio: 'ignore',
  });
}

function startNginx(container: Container, directory: string): void {
  writeFileSync(join(directory, 'page'), 'x'.repeat(10 * 1024));
  writeFileSync(
    join(directory, 'nginx.conf'),
    `
daemon off;
worker_processes 1;
user root;
pid ${directory}/pid;
error_log ${directory}/error.log;
events { worker_connections 512; }
http {
  access_log ${directory}/access.log;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  keepalive_requests 1000000000;
  sendfile on;
  root ${directory};
  server { listen ${port}; }
}
`,
  );
  container.spawn(['nginx', '-c', join(directory, 'nginx.conf')], { stdio: 'ignore' });
}

async function requestsPerSecond(page: string, headers: readonly string[]): Promise<number> {
  const { stdout } = await promisify(execFile)('wrk', [
    '--threads=1',
    `--connections=${connections}`,
    `--duration=${seconds}s`,
    ...headers.map((header) => `--header=${header}`),
    page,
  ]);
  return Number(/^Requests\/sec: +([0-9.]+)$/m.exec(stdout)![1]);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

if (import.meta.main) console.table(await benchWeb(process.argv[2]?.split(',')));
