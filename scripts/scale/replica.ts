/** The controller of one replica, in a process of its own, which reports whenever it is asked to. */
import { Registry } from 'prom-client';
import { createLog } from '../../sidecar/contract/log.ts';
import type { MonitorsConfig } from '../../webhook/config-file.ts';
import { type Api, createApi, openCluster } from '../../webhook/kubernetes/client.ts';
import { keepMonitors } from '../../webhook/monitors/controller.ts';
import { shareInjectedPods } from '../../webhook/pods/injected-pods.ts';

export interface Job {
  kubeconfig: string;
  kind: MonitorsConfig['kind'];
  scope: MonitorsConfig['scope'];
}

export interface Report {
  /** Whether it has not looked at everything yet. */
  busy: boolean;
  written: number;
  failed: number;
  /** By method. */
  requests: string;
  /** Seconds. */
  cpu: number;
  /** MiB, before it knew anything and now. */
  rss: readonly [atFirst: number, now: number];
}

const { kubeconfig, kind, scope } = JSON.parse(process.argv[2]!) as Job;
const registry = new Registry();
const requests: Record<string, number> = {};
const stopping = new AbortController();
const rss = () => Math.round(process.memoryUsage.rss() / 2 ** 20);
const rssAtFirst = rss();

const api = counted(createApi(openCluster(kubeconfig)));
const log = createLog((line) => process.stderr.write(line));
keepMonitors({
  api,
  config: {
    kind,
    scope,
    interval: '30s',
    timeout: '10s',
    labels: {},
    relabelings: [],
    metricRelabelings: [],
  },
  log,
  metrics: { registry },
  injectedPods: shareInjectedPods(api, log, stopping.signal),
  signal: stopping.signal,
});
process.on('message', async () => process.send!(await report()));
process.on('disconnect', () => stopping.abort());
process.send!('running');

function counted({ open, call }: Api): Api {
  const count = (method = 'GET') => {
    requests[method] = (requests[method] ?? 0) + 1;
  };
  return {
    open(request) {
      count('WATCH');
      return open(request);
    },
    call(request) {
      count(request.method);
      return call(request);
    },
  };
}

async function report(): Promise<Report> {
  const value = async (name: string, result?: string) =>
    (await registry.getSingleMetric(name)!.get()).values.find(({ labels }) => labels.result === result)!
      .value;
  const seen = (result: string) => value('bpf_webhook_monitors_total', result);
  const [written, unchanged] = await Promise.all([seen('written'), seen('unchanged')]);
  const waiting = await value('bpf_webhook_monitors_waiting');
  const { user, system } = process.cpuUsage();
  return {
    busy: waiting > 0 || written + unchanged === 0,
    written,
    failed: await seen('failed'),
    requests: Object.entries(requests)
      .map(([method, count]) => `${count} ${method}`)
      .join(', '),
    cpu: (user + system) / 1e6,
    rss: [rssAtFirst, rss()],
  };
}
