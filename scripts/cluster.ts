/** `npm run cluster`: an API server to try things on. See --help. */
import { type Cluster, startCluster } from './cluster/cluster.ts';
import { runScript } from './cluster/command-line.ts';
import { createMonitorCrds } from './cluster/crds.ts';

const help = `Usage: npm run cluster -- [options]

Starts a Kubernetes API server on loopback and prints the path of a kubeconfig for it, until Ctrl-C. There are no
controllers, no scheduler and no node: what is created stays as it is. Webhooks of this machine can be called, by the
URL in their clientConfig. Builds kube-apiserver the first time, which needs Go and takes some minutes, and keeps it in
$XDG_CACHE_HOME/bpf-sidecar/cluster.

  --monitor-crds  create the Prometheus Operator's CRDs: ServiceMonitor, PodMonitor, PrometheusRule
  --help          show this

Exit codes: 0 ended by a signal, 1 could not start or stopped to work, 2 wrong usage.
`;

function complain(problem: unknown): void {
  process.stderr.write(`cluster: ${(problem as Error).message ?? problem}\n`);
}

async function main(monitorCrds: boolean): Promise<number> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupt.abort());
  const interrupted = new Promise<undefined>((resolve) => {
    interrupt.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });

  let cluster: Cluster | undefined;
  try {
    cluster = await startCluster(interrupt.signal);
    if (monitorCrds) await createMonitorCrds(cluster.config);
    process.stdout.write(`kubeconfig: ${cluster.kubeconfig}\nCtrl-C ends the cluster.\n`);
    const problem = await Promise.race([interrupted, cluster.failed]);
    if (problem !== undefined) throw new Error(problem);
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) return 0;
    complain(error);
    return 1;
  } finally {
    await cluster?.stop();
  }
}

await runScript({
  name: 'cluster',
  help,
  switches: ['monitor-crds'],
  main: (chosen) => main(chosen.has('monitor-crds')),
});
