import { Counter, Gauge, type Registry } from 'prom-client';

/** What comes of a look at what tells Prometheus of a group of pods. */
export const monitorResults = ['written', 'unchanged', 'deleted', 'failed'] as const;

export type MonitorResult = (typeof monitorResults)[number];

export interface MonitorMetrics {
  results: Counter<'result'>;
  installed: Gauge;
}

/** What the controller tells about itself; `waiting` and `apart` are asked for at a scrape. */
export function createMonitorMetrics(
  registry: Registry,
  { waiting, apart }: { waiting(): number; apart(): number },
): MonitorMetrics {
  const registers = [registry];
  const asked = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  asked(
    'bpf_webhook_monitors_waiting',
    'Groups of pods whose Services and monitors wait to be looked at again.',
    waiting,
  );
  asked(
    'bpf_webhook_monitors_pods_left_out',
    'Injected pods that no monitor of one pod can select because they have no label bpf.sh/id of ours.',
    apart,
  );
  const results = new Counter({
    name: 'bpf_webhook_monitors_total',
    help: 'Services and monitors written, deleted or failed to be, and times that nothing was to do for a group of pods.',
    labelNames: ['result'],
    registers,
  });
  for (const result of monitorResults) results.inc({ result }, 0);
  return {
    results,
    installed: new Gauge({
      name: 'bpf_webhook_monitors_installed',
      help: 'Whether the API server knows the kind of monitor that is configured.',
      registers,
    }),
  };
}
