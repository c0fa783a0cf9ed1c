import type { Registry } from 'prom-client';
import type { Log } from '../../sidecar/contract/log.ts';
import type { MonitorsConfig } from '../config-file.ts';
import type { Api } from '../kubernetes/client.ts';
import { type Watched, watchObjects } from '../kubernetes/watch.ts';
import type { InjectedPod } from '../pods/injected-pod.ts';
import type { InjectedPods } from '../pods/injected-pods.ts';
import { desiredObjects, hashAnnotation, monitorLabel, nameFor, selectorFor } from './desired.ts';
import { createGroups } from './groups.ts';
import { allKinds, type Kind, kinds, kindsFor, pathOf } from './kinds.ts';
import { createMonitorMetrics } from './metrics.ts';
import { createPace } from './pace.ts';
import { createQueue } from './queue.ts';
import { createRequests } from './requests.ts';

export interface MonitorsOptions {
  api: Api;
  config: MonitorsConfig;
  log: Log;
  metrics: { registry: Registry };
  injectedPods(): InjectedPods;
  signal: AbortSignal;
  tempo?: Tempo;
}

export interface Tempo {
  /** Milliseconds over which the replicas spread what they have to do, so that normally one of them does it. */
  spread: number;
  /** Milliseconds for which what no pod wants is kept, and what somebody else has changed is left alone. */
  grace: number;
  /** Requests that write, at once and a second. */
  concurrency: number;
  writesPerSecond: number;
  /** Milliseconds before the second attempt to write, and the most that it grows to. */
  patience: { first: number; most: number };
}

export const defaultTempo: Tempo = {
  spread: 1000,
  grace: 60_000,
  concurrency: 8,
  writesPerSecond: 100,
  patience: { first: 1000, most: 300_000 },
};

/** Milliseconds in which at most one failure is logged; all are counted. */
const quiet = 10_000;

/**
 * Keeps what tells Prometheus of the injected pods, until `signal` is aborted. Every replica does so, with no leader: what
 * is to be follows from the pods alone, and each writes only what is not there yet.
 */
export function keepMonitors(options: MonitorsOptions): void {
  const { api, config, log, metrics, signal, tempo = defaultTempo } = options;
  const wanted = kindsFor(config.kind);
  const main = wanted.at(-1);
  if (main === undefined) return;

  const groups = createGroups((pod) => nameFor(pod, config));
  const queue = createQueue({ work: settle, onError: failed, ...tempo });
  const pace = createPace(tempo.writesPerSecond, signal);
  const requests = createRequests(api, signal);
  const { results, installed } = createMonitorMetrics(metrics.registry, {
    waiting: () => queue.size,
    apart: () => groups.apart,
  });
  /** Since when nobody wants what has this id. */
  const unwanted = new Map<string, number>();
  let isMissing = false;
  let lastFailure = Number.NEGATIVE_INFINITY;

  const pods = options.injectedPods();
  const present = Object.fromEntries(allKinds.map((kind) => [kind, watchKind(kind)])) as Record<
    Kind,
    Watched<string>
  >;
  signal.addEventListener('abort', () => {
    queue.stop();
    for (const { stop } of Object.values(present)) stop();
  });
  pods.follow(podChanged);
  void Promise.all([pods, ...wanted.map((kind) => present[kind])].map(({ synced }) => synced)).then(begin);

  function watchKind(kind: Kind): Watched<string> {
    return watchObjects(api, log, {
      path: pathOf(kind),
      labelSelector: monitorLabel,
      metadataOnly: true,
      keep: ({ metadata }) => metadata.annotations?.[hashAnnotation] ?? '',
      onChange: (id, hash, before) => objectChanged(kind, id, hash, before),
      onMissing: (missing) => {
        if (kind === main) kindMissing(missing);
      },
    });
  }

  function kindMissing(missing: boolean): void {
    isMissing = missing;
    installed.set(missing ? 0 : 1);
    const crd = `${kinds[main!].plural}.monitoring.coreos.com`;
    if (missing)
      log('warn', 'the Prometheus Operator is not installed, monitors are made once it is', { crd });
    else {
      log('info', 'the Prometheus Operator is installed now', { crd });
      begin();
    }
  }

  function isReady(): boolean {
    return !isMissing && pods.isSynced() && wanted.every((kind) => present[kind].isSynced());
  }

  /** Looks at everything once, each replica in an order of its own. */
  function begin(): void {
    if (!isReady()) return;
    installed.set(1);
    const ids = new Set(groups.ids());
    for (const kind of allKinds) for (const id of present[kind].objects.keys()) ids.add(id);
    for (const id of shuffled([...ids])) queue.add(id);
  }

  function podChanged(pod: InjectedPod | undefined, before: InjectedPod | undefined): void {
    const ids = [before && groups.remove(before), pod && groups.add(pod)];
    if (!isReady()) return;
    for (const id of ids) if (id !== undefined) queue.add(id, spread());
  }

  function objectChanged(kind: Kind, id: string, hash: string | undefined, before: string | undefined): void {
    if (!isReady() || hash === desiredFor(id).find((object) => object.kind === kind)?.hash) return;
    // A replica of another version or configuration may have written it; in a rollout it wins, or is gone by then.
    const isForeign = hash !== undefined && before !== undefined && hash !== before;
    queue.add(id, isForeign ? tempo.grace : spread());
  }

  function desiredFor(id: string) {
    const members = groups.pods(id);
    return members.length > 0 ? desiredObjects(members, config) : [];
  }

  async function settle(id: string): Promise<void> {
    if (!isReady()) return;
    const desired = desiredFor(id);
    const outdated = desired.filter(({ kind, hash }) => present[kind].objects.get(id) !== hash);
    const excess = allKinds.filter(
      (kind) => present[kind].objects.has(id) && !desired.some((object) => object.kind === kind),
    );
    if (outdated.length + excess.length === 0) results.inc({ result: 'unchanged' });
    for (const { kind, hash, object } of outdated) {
      await pace();
      // Another replica may have been quicker meanwhile.
      if (present[kind].objects.get(id) === hash) continue;
      await requests.write(kind, id, object, { isOurs: present[kind].objects.has(id) });
      results.inc({ result: 'written' });
    }
    if (excess.length > 0) await clear(id, excess);
    else unwanted.delete(id);
  }

  /** Deletes what is of no use any more, once that has been so for a while. */
  async function clear(id: string, excess: readonly Kind[]): Promise<void> {
    const since = unwanted.get(id) ?? performance.now();
    unwanted.set(id, since);
    const left = since + tempo.grace - performance.now();
    if (left > 0) return queue.add(id, left);
    const [namespace = '', name = ''] = id.split('/');
    const selector = selectorFor(name, config);
    const mayBeWanted = excess.filter((kind) => selector && wanted.includes(kind));
    // Had this replica not heard of a pod yet, it would take away what another has just made.
    const isWanted = mayBeWanted.length > 0 && (await requests.hasPods(namespace, selector!));
    if (isWanted) queue.add(id, tempo.grace);
    else unwanted.delete(id);
    for (const kind of excess) {
      if (isWanted && mayBeWanted.includes(kind)) continue;
      await pace();
      await requests.remove(kind, id);
      results.inc({ result: 'deleted' });
    }
  }

  function failed(id: string, error: Error): void {
    results.inc({ result: 'failed' });
    if (performance.now() - lastFailure < quiet) return;
    lastFailure = performance.now();
    log('warn', 'cannot keep what tells Prometheus of pods', { id, error: error.message });
  }

  function spread(): number {
    return Math.ceil(Math.random() * tempo.spread);
  }
}

/** Fisher-Yates. */
function shuffled<Item>(items: Item[]): Item[] {
  for (let index = items.length - 1; index > 0; index -= 1) {
    const other = Math.floor(Math.random() * (index + 1));
    [items[index], items[other]] = [items[other]!, items[index]!];
  }
  return items;
}
