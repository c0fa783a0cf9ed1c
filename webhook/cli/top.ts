import { setTimeout as delay } from 'node:timers/promises';
import { scrapeDuration } from '../../sidecar/contract/annotations.ts';
import { createApi } from '../kubernetes/client.ts';
import { kubeconfigHelp, openCommandCluster, unanswered } from './cluster.ts';
import { CommandError, exit, parseArguments, runCommand } from './command.ts';
import { findPod, type ObservedPod } from './top/pod.ts';
import { ratesOf } from './top/rates.ts';
import { blank, canvas, isTerminal, print, width } from './top/terminal.ts';
import { lines, table } from './top/view.ts';

const help = `Usage: bpf-sidecar top [options] POD

Shows what the containers of a pod do, from the metrics of its sidecar, which it reads through the API server: rates of
CPU time, system calls, network, TCP connections, page faults and forks, as far as the pod has the probes for them. On a
terminal the table is drawn again and again; elsewhere there is a line for each container.

  -n, --namespace NS of the pod (default: that of the kubeconfig's context, else default)
${kubeconfigHelp}
  --interval TIME    from one reading to the next, such as 10s or 1m (default 2s)
  --once             show it once, after one interval
  --help             show this

Ctrl-C ends it. The user needs the rights to get pods and pods/proxy in the namespace.

Exit codes: 0 done, 1 the pod has no sidecar or there is no answer, 2 wrong usage or no kubeconfig.
`;

/** `bpf-sidecar top`. Resolves to the exit code. */
export function top(argv: string[]): Promise<number> {
  return runCommand('top', async () => {
    const { values, positionals } = parseArguments(argv, {
      namespace: { type: 'string', short: 'n' },
      kubeconfig: { type: 'string' },
      interval: { type: 'string', default: '2s' },
      once: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    });
    if (values.help) {
      process.stdout.write(help);
      return exit.ok;
    }
    const [name, ...others] = positionals;
    if (name === undefined || name === '' || others.length > 0)
      throw new CommandError('give the name of one pod; see --help', exit.usage);
    const interval = readInterval(values.interval);
    const config = openCommandCluster(values.kubeconfig);
    const context = config.getContextObject(config.getCurrentContext());
    const namespace = values.namespace ?? context?.namespace ?? 'default';

    const ending = new AbortController();
    const { signal } = ending;
    for (const ended of ['SIGINT', 'SIGTERM'] as const) process.once(ended, () => ending.abort());
    try {
      const pod = await findPod(createApi(config), { namespace, name }, signal);
      await show(pod, `${namespace}/${name}`, { interval, once: values.once, signal });
    } catch (error) {
      if (signal.aborted) return exit.ok;
      throw error instanceof CommandError ? error : unanswered(config, error);
    }
    return exit.ok;
  });
}

interface Showing {
  /** Milliseconds. */
  interval: number;
  once: boolean;
  signal: AbortSignal;
}

/** Until the signal, at which it rejects. */
async function show(pod: ObservedPod, title: string, { interval, once, signal }: Showing): Promise<void> {
  const { draw } = canvas();
  let before = await pod.scrape();
  const began = performance.now();
  for (let reading = 1; ; reading++) {
    await delay(Math.max(began + reading * interval - performance.now(), 0), undefined, { signal });
    const now = await pod.scrape();
    const rates = ratesOf(before, now);
    const time = new Date().toTimeString().slice(0, 8);
    if (isTerminal)
      draw([
        { text: `${title} on node ${pod.node}, ${time}`.slice(0, width()), emphasis: 'faint' },
        blank,
        ...table(rates, width()),
      ]);
    else for (const line of lines(rates, time)) print(line);
    if (once) return;
    before = now;
  }
}

function readInterval(value: string): number {
  const interval = scrapeDuration(value);
  if (interval !== undefined) return interval;
  throw new CommandError(
    `--interval ${value}: must be a duration from 1s to 24h, such as 10s or 1m`,
    exit.usage,
  );
}
