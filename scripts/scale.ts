/**
 * `npm run scale [-- --pods N --namespaces N]`: what keeping monitors for many injected pods costs, with two replicas against
 * a real API server of this machine, for each scope: requests, time until all is there, memory. No controllers run, so that
 * nothing but the replicas writes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node';
import { type Api, createApi } from '../webhook/kubernetes/client.ts';
import { allKinds, kinds } from '../webhook/monitors/kinds.ts';
import { startCluster } from './cluster/cluster.ts';
import { createMonitorCrds } from './cluster/crds.ts';
import { createNamespace } from './cluster/namespace.ts';
import { webhookEnvironment, webhookFlags } from './image.ts';
import { at, say, step, waiting } from './progress.ts';
import { injectedManifest } from './scale/manifest.ts';
import type { Job, Report } from './scale/replica.ts';

/** Requests for pods at once. */
const concurrency = 16;
/** Milliseconds between two looks at the replicas. */
const period = 200;

const { values } = parseArgs({
  options: { pods: { type: 'string', default: '5000' }, namespaces: { type: 'string', default: '50' } },
});
const [pods, namespaces] = [Number(values.pods), Number(values.namespaces)];

const cluster = await startCluster();
try {
  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig);
  const api = createApi(config);
  await createMonitorCrds(config);
  for (let index = 0; index < namespaces; index += 1) await createNamespace(config, namespaceOf(index));
  await step(`${pods} pods in ${namespaces} namespaces`, () => createPods(api), { done: 'created' });

  for (const [kind, scope] of [
    ['ServiceMonitor', 'pod'],
    ['ServiceMonitor', 'namespace'],
    ['PodMonitor', 'namespace'],
  ] as const) {
    const job: Job = { kubeconfig: cluster.kubeconfig, kind, scope };
    const expected = (scope === 'pod' ? pods : namespaces) * (kind === 'PodMonitor' ? 1 : 2);
    await tell(`${kind}, scope ${scope}: two replicas make ${expected} objects`, [job, job], expected);
    await tell(`${kind}, scope ${scope}: a replica that starts when they are there`, [job], 0);
    await waiting('removing them', () => clear(api));
  }
} finally {
  await cluster.stop();
}

function namespaceOf(index: number): string {
  return `team-${index % namespaces}`;
}

async function createPods(api: Api): Promise<void> {
  let next = 0;
  const create = async () => {
    while (next < pods) {
      const index = next++;
      at(index, pods);
      const path = `/api/v1/namespaces/${namespaceOf(index)}/pods`;
      await api.call({ method: 'POST', path, body: injectedManifest(`web-${index}`) });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, create));
}

async function tell(what: string, jobs: readonly Job[], expected: number): Promise<void> {
  const lines = await waiting(what, () => runReplicas(jobs, expected));
  console.log(`\n${[what, ...lines].join('\n')}`);
}

/** Runs replicas until they have written as much as expected and nothing waits any more; resolves to what it took. */
async function runReplicas(jobs: readonly Job[], expected: number): Promise<string[]> {
  const began = performance.now();
  const replicas = jobs.map((job) =>
    fork(join(import.meta.dirname, 'scale/replica.ts'), [JSON.stringify(job)], {
      execArgv: webhookFlags,
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      env: { ...process.env, ...webhookEnvironment },
    }),
  );
  for (const { stderr } of replicas) createInterface(stderr!).on('line', (line) => say(line));
  for (const child of replicas) await once(child, 'message');
  const started = performance.now();
  let reports: Report[];
  do {
    await delay(period);
    reports = await Promise.all(replicas.map(ask));
    if (expected > 0) at(sum(reports, 'written'), expected);
  } while (reports.some(({ busy }) => busy) || sum(reports, 'written') < expected);
  const took = `  ${since(started)} (and ${((started - began) / 1000).toFixed(1)} s until they ran)`;
  for (const child of replicas) {
    child.disconnect();
    await once(child, 'exit');
  }
  return [
    took,
    ...reports.map(
      ({ written, failed, requests, cpu, rss }) =>
        `  ${written} written, ${failed} failed; requests: ${requests}; CPU ${cpu.toFixed(1)} s; RSS ${rss.join(' -> ')} MiB`,
    ),
  ];
}

async function ask(child: ChildProcess): Promise<Report> {
  child.send('report');
  const [report] = await once(child, 'message');
  return report as Report;
}

async function clear(api: Api): Promise<void> {
  for (const [done, kind] of allKinds.entries())
    for (let index = 0; index < namespaces; index += 1) {
      at(done * namespaces + index, allKinds.length * namespaces);
      const { root, plural } = kinds[kind];
      const path = `${root}/namespaces/${namespaceOf(index)}/${plural}`;
      const { items } = await api.call<{ items: { metadata: { name: string } }[] }>({ path });
      for (const { metadata } of items)
        await api.call({ method: 'DELETE', path: `${path}/${metadata.name}` });
    }
}

function sum(reports: readonly Report[], field: 'written'): number {
  return reports.reduce((total, report) => total + report[field], 0);
}

function since(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}
