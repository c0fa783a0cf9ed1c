import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { V1ObjectMeta } from '@kubernetes/client-node';
import type { Log } from '../../sidecar/contract/log.ts';
import { type Api, ApiError } from './client.ts';
import { listPages, partial } from './list.ts';

/** What every object of Kubernetes has. */
export interface ApiObject {
  apiVersion?: string;
  kind?: string;
  metadata: V1ObjectMeta & { name: string };
}

export interface WatchOptions<Kept> {
  /** Such as /api/v1/pods. */
  path: string;
  labelSelector?: string;
  /** Such as metadata.name=bpf-sidecar, for a watch that a role by name allows. */
  fieldSelector?: string;
  /** Only the metadata of the objects is asked for, and sent. */
  metadataOnly?: boolean;
  /** What is kept of an object: it should be small. `before`, what was kept until now, when that is still right. */
  keep(object: ApiObject, before: Kept | undefined): Kept;
  /** Called when something else is kept of an object than before, and, without `kept`, when it has gone. */
  onChange?(id: string, kept: Kept | undefined, before: Kept | undefined): void;
  /** Called when the API server does not know the kind, which the log then does not tell, and when it does again. */
  onMissing?(missing: boolean): void;
}

/** The objects of a kind, as the API server last told them. */
export interface Watched<Kept> {
  /** By `namespace/name`, or `/name` where the kind has no namespaces. */
  readonly objects: ReadonlyMap<string, Kept>;
  /** Resolves when all have been listed once. */
  readonly synced: Promise<void>;
  isSynced(): boolean;
  /** Why the objects may have changed since: what went wrong when they were last asked for. */
  problem(): Error | undefined;
  stop(): void;
}

/**
 * Seconds after which the API server ends a watch, to be begun anew; at random so that not all are at once. It sends no
 * bookmark of a kind of which nothing has changed since it has started, so that this may be its only word.
 */
const watchTime = { least: 80, spread: 40 };
/** Milliseconds without a word after which a watch is taken for dead. */
const silence = 150_000;
/** Milliseconds before the first attempt after a failure, and the most that it grows to. */
const patience = { first: 500, most: 30_000 };
const gone = 410;
const notFound = 404;

export function idOf({ namespace = '', name }: { namespace?: string; name: string }): string {
  return `${namespace}/${name}`;
}

/**
 * Lists the objects of a kind and follows their changes until it is stopped. A kind that is not installed, or an API
 * server that is away, is tried again and again, and told once in the log; what was known stays known.
 */
export function watchObjects<Kept>(api: Api, log: Log, options: WatchOptions<Kept>): Watched<Kept> {
  const { path, labelSelector, fieldSelector, metadataOnly = false, keep, onChange, onMissing } = options;
  const objects = new Map<string, Kept>();
  const stopping = new AbortController();
  const { signal } = stopping;
  const synced = Promise.withResolvers<void>();
  let isSynced = false;
  /** Where to go on watching; undefined when all has to be listed again. */
  let version: string | undefined;
  let problem: Error | undefined;
  let isMissing = false;

  function put(object: ApiObject): string {
    const id = idOf(object.metadata);
    const before = objects.get(id);
    const kept = keep(object, before);
    objects.set(id, kept);
    if (kept !== before) onChange?.(id, kept, before);
    return id;
  }

  function remove(id: string): void {
    const before = objects.get(id);
    if (objects.delete(id)) onChange?.(id, undefined, before);
  }

  async function list(): Promise<void> {
    const seen = new Set<string>();
    let listed: string | undefined;
    for await (const page of listPages<ApiObject>(api, {
      path,
      labelSelector,
      fieldSelector,
      metadataOnly,
      signal,
    })) {
      for (const object of page.items) seen.add(put(object));
      listed = page.resourceVersion;
    }
    for (const id of objects.keys()) if (!seen.has(id)) remove(id);
    version = listed;
    found();
    isSynced = true;
    synced.resolve();
  }

  async function follow(): Promise<void> {
    const response = await api.open({
      path,
      query: {
        watch: true,
        labelSelector,
        fieldSelector,
        resourceVersion: version,
        allowWatchBookmarks: true,
        timeoutSeconds: Math.round(watchTime.least + Math.random() * watchTime.spread),
      },
      ...(metadataOnly && { accept: partial('PartialObjectMetadata') }),
      signal,
    });
    solved();
    // Without an error the lines would never end.
    response.setTimeout(silence, () => response.destroy(new Error(`no word for ${silence / 1000} s`)));
    for await (const line of createInterface(response)) take(JSON.parse(line));
  }

  function take({
    type,
    object,
  }: {
    type: string;
    object: ApiObject & { code?: number; message?: string };
  }): void {
    if (type === 'ERROR') throw new ApiError(object.code ?? 0, object.message ?? 'the watch failed');
    if (type === 'DELETED') remove(idOf(object.metadata));
    else if (type !== 'BOOKMARK') put(object);
    version = object.metadata.resourceVersion ?? version;
  }

  function found(): void {
    if (!isMissing) return;
    isMissing = false;
    problem = undefined;
    onMissing?.(false);
  }

  function failed(error: Error): void {
    const toldBefore = error.message === problem?.message;
    problem = error;
    if (onMissing && error instanceof ApiError && error.status === notFound) {
      version = undefined;
      if (!isMissing) onMissing(true);
      isMissing = true;
      return;
    }
    if (!toldBefore) log('warn', 'cannot watch', { path, error: error.message });
  }

  function solved(): void {
    found();
    if (problem !== undefined) log('info', 'watching again', { path });
    problem = undefined;
  }

  async function run(): Promise<void> {
    let wait = patience.first;
    while (!signal.aborted) {
      try {
        if (version === undefined) await list();
        await follow();
        wait = patience.first;
      } catch (error) {
        if (signal.aborted) return;
        // The API server remembers the changes of the last minutes only.
        if (error instanceof ApiError && error.status === gone) version = undefined;
        else failed(error as Error);
        await delay(wait * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
        wait = Math.min(2 * wait, patience.most);
      }
    }
  }

  void run();
  return {
    objects,
    synced: synced.promise,
    isSynced: () => isSynced,
    problem: () => problem,
    stop: () => stopping.abort(),
  };
}
