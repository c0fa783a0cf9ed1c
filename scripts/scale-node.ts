/**
 * `npm run scale:node [-- --pods N]`: what injected pods cost a node, on the cluster of this machine: memory of the sidecars, CPU
 * while they are scraped, requests to the API server, and the time until pods are Ready, with the sidecar and without.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node';
import { createApi } from '../webhook/kubernetes/client.ts';
import { mebibytesOf, readMemory } from './bench/memory.ts';
import { quantile } from './bench/quantile.ts';
import { installChart } from './cluster/node/chart.ts';
import { pauseImage } from './cluster/node/containerd.ts';
import { cgroupsOf } from './cluster/node/enclosure.ts';
import { removeNode, startNode } from './cluster/node/node.ts';
import { kubeconfigFile } from './cluster/node/place.ts';
import { at, waiting } from './progress.ts';

const namespace = 'scale';
/** Of Prometheus; and how many of them are measured. */
const interval = 15_000;
const scrapes = 4;
/** Milliseconds between two looks at the pods. */
const period = 250;

interface Pod {
  metadata: { name: string };
  status: {
    podIP?: string;
    conditions?: { type: string; status: string }[];
    initContainerStatuses?: { containerID?: string }[];
  };
}

const { values } = parseArgs({ options: { pods: { type: 'string', default: '50' } } });
const count = Number(values.pods);
const say = (line: string) => void process.stdout.write(`${line}\n`);

try {
  await startNode();
  await installChart();
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigFile);
  const api = createApi(config);
  await api.call({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: namespace } } });
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const list = async () => (await api.call<{ items: Pod[] }>({ path: pods })).items;
  const requests = async () => {
    let text = '';
    for await (const chunk of await api.open({ path: '/metrics' })) text += chunk;
    const samples = text.matchAll(/^apiserver_request_total\{.*verb="(?!WATCH|CONNECT).*\} (\d+)$/gm);
    return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
  };

  /** Creates the pods at once; resolves to the milliseconds after which each was Ready. */
  async function create(annotations: Record<string, string>): Promise<number[]> {
    const began = performance.now();
    const body = (index: number) => ({
      metadata: { name: `pod-${index}`, annotations },
      spec: {
        containers: [{ name: 'app', image: pauseImage }],
        terminationGracePeriodSeconds: 1,
      },
    });
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        api.call({ method: 'POST', path: pods, body: body(index) }),
      ),
    );
    const ready = new Map<string, number>();
    while (ready.size < count) {
      at(ready.size, count, 'Ready');
      await delay(period);
      for (const { metadata, status } of await list())
        if (!ready.has(metadata.name) && status.conditions?.some(isReady))
          ready.set(metadata.name, performance.now() - began);
    }
    return [...ready.values()];
  }

  async function clear(): Promise<void> {
    await api.call({ method: 'DELETE', path: pods });
    while ((await list()).length > 0) await delay(period);
  }

  async function measured(what: string, annotations: Record<string, string>): Promise<void> {
    const before = await requests();
    const times = await waiting(`${count} pods at once, ${what}`, () => create(annotations));
    const looks = Math.ceil(Math.max(...times) / period);
    const made = (await requests()) - before - looks;
    const seconds = (share: number) => (quantile(times, share) / 1000).toFixed(1);
    say(
      `${count} pods at once, ${what}: Ready after ${seconds(0.5)} s in the median, ${seconds(1)} s the last; ${(made / count).toFixed(1)} requests to the API server for each`,
    );
  }

  await measured('without the sidecar', {});
  await waiting('removing them', clear);
  await measured('with the sidecar', { 'bpf.sh/inject': 'true' });
  const sidecars = (await list()).map(({ status }) => ({
    address: status.podIP!,
    pid: pidOf(status.initContainerStatuses![0]!.containerID!),
  }));

  const scrapeAll = () =>
    Promise.all(
      sidecars.map(async ({ address }) => (await fetch(`http://${address}:9387/metrics`)).arrayBuffer()),
    );
  await scrapeAll();
  const [cpu, load] = [cpuTimes(sidecars), await requests()];
  const began = performance.now();
  await waiting(`Scraping all every ${interval / 1000} s`, async () => {
    for (let scrape = 0; scrape < scrapes; scrape++) {
      at(scrape, scrapes);
      await delay(interval);
      await scrapeAll();
    }
  });
  const seconds = (performance.now() - began) / 1000;
  const used = cpuTimes(sidecars).map((time, index) => ((time - cpu[index]!) / seconds) * 1000);
  say(
    `CPU of a sidecar that is scraped every ${interval / 1000} s: ${quantile(used, 0.5).toFixed(2)} ms a second in the median, ${quantile(used, 1).toFixed(2)} the most`,
  );
  say(`requests to the API server meanwhile: ${(((await requests()) - load) / seconds).toFixed(1)} a second`);
  for (const field of ['Rss', 'Pss', 'Anonymous', 'Private_Clean', 'Shared_Clean']) {
    const mebibytes = sidecars.map(({ pid }) => mebibytesOf(readMemory(pid), field));
    say(
      `${field} of a sidecar: ${quantile(mebibytes, 0.5).toFixed(1)} MiB in the median, ${quantile(mebibytes, 1).toFixed(1)} the most`,
    );
  }
} finally {
  await removeNode();
}

function isReady({ type, status }: { type: string; status: string }): boolean {
  return type === 'Ready' && status === 'True';
}

/** The process of a container. */
function pidOf(containerId: string): number {
  const [cgroup] = cgroupsOf(containerId);
  return Number(readFileSync(join(cgroup!, 'cgroup.procs'), 'utf8'));
}

/** Seconds of CPU that each process has had: fields 14 and 15 of proc_pid_stat(5), in hundredths. */
function cpuTimes(processes: readonly { pid: number }[]): number[] {
  return processes.map(({ pid }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  });
}
