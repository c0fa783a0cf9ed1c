import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { defaultProbes } from '../../sidecar/contract/probes.ts';
import { nginxConfiguration } from '../node/nginx.ts';
import { type Container, createSandbox } from '../node/sandbox.ts';
import { at } from '../progress.ts';
import { quantile } from './quantile.ts';
import type { Row } from './row.ts';
import { answers, startSidecar } from './sidecar.ts';

const port = 8080;
const rounds = 21;
/** Of each of the two measurements of a round. */
const seconds = 2;
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
 * What the default probes cost a busy web server with one thread, by the CPU time that it takes for a request, which is what
 * bounds how many it can answer: with the sidecar beside it and without, in turn, so that a slow moment of the machine meets
 * both alike. Requests per second would tell the same, but for clients on the same few CPUs.
 */
export async function benchWeb(probes: readonly string[] = defaultProbes): Promise<Row[]> {
  const rows: Row[] = [];
  for (const load of loads) rows.push(await measure(load, probes));
  return rows;
}

async function measure(load: Load, probes: readonly string[]): Promise<Row> {
  const { what, start, headers, target } = load;
  const sandbox = await createSandbox({ network: true });
  try {
    const directory = join(sandbox.volumes, 'web');
    mkdirSync(directory);
    const web = sandbox.addContainer('web');
    start(web, directory);
    const page = `http://${sandbox.address}:${port}/page`;
    while (!(await answers(page))) await delay(10);
    const timeOfRequest = async () => {
      const before = cpuTime(web);
      const requests = await ask(page, headers);
      return (cpuTime(web) - before) / requests;
    };
    await timeOfRequest();
    const alone: number[] = [];
    const more: number[] = [];
    for (let round = 0; round < rounds; round++) {
      at(loads.indexOf(load) * rounds + round, loads.length * rounds, 'rounds');
      const first = round % 2 === 0 ? await timeOfRequest() : undefined;
      const sidecar = await startSidecar(sandbox, probes);
      const beside = await timeOfRequest();
      await sidecar.stop();
      const without = first ?? (await timeOfRequest());
      alone.push(without);
      more.push(beside / without - 1);
    }
    const percent = (share: number) => `${(quantile(more, share) * 100).toFixed(1)} %`;
    return {
      what: `${what}: a request takes ${quantile(alone, 0.5).toFixed(1)} µs of a CPU; more beside the default probes`,
      value: `${percent(0.5)} (half of the rounds: ${percent(0.25)} to ${percent(0.75)})`,
      ...(target !== undefined && { target }),
    };
  } finally {
    await sandbox.destroy();
  }
}

/** Microseconds of CPUs that a container has taken. */
function cpuTime({ cgroup }: Container): number {
  return Number(/^usage_usec ([0-9]+)$/m.exec(readFileSync(join(cgroup, 'cpu.stat'), 'utf8'))![1]);
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
    nginxConfiguration(
      directory,
      `access_log ${directory}/access.log; root ${directory}; server { listen ${port}; }`,
    ),
  );
  container.spawn(['nginx', '-c', join(directory, 'nginx.conf')], { stdio: 'ignore' });
}

/** How many requests clients made that did nothing else. */
async function ask(page: string, headers: readonly string[]): Promise<number> {
  const { stdout } = await promisify(execFile)('wrk', [
    '--threads=1',
    `--connections=${connections}`,
    `--duration=${seconds}s`,
    ...headers.map((header) => `--header=${header}`),
    page,
  ]);
  return Number(/^ *([0-9]+) requests in /m.exec(stdout)![1]);
}

if (import.meta.main) console.table(await benchWeb(process.argv[2]?.split(',')));
