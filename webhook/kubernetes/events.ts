import { hostname } from 'node:os';
import type { CoreV1Event } from '@kubernetes/client-node';
import type { Counter } from 'prom-client';
import type { Log } from '../../sidecar/contract/log.ts';
import { type Api, ApiError } from './client.ts';

/** An object of the API server that an Event is about. */
export interface ObjectReference {
  apiVersion: string;
  kind: string;
  /** Of the Event too. */
  namespace: string;
  name: string;
  /** Left out where the object has none yet. */
  uid?: string;
}

export interface ReportedEvent {
  about: ObjectReference;
  type: 'Normal' | 'Warning';
  /** In CamelCase, as Events have it. */
  reason: string;
  message: string;
}

/** What becomes of an Event, as the metric calls it. */
export const eventResults = ['written', 'failed', 'dropped'] as const;

/** Takes an Event to be written soon. It never fails and never waits. */
export type Report = (event: ReportedEvent) => void;

export interface EventOptions {
  api: Pick<Api, 'call'>;
  counter: Counter<'result'>;
  log: Log;
}

/** Different Events that wait, and that are remembered so that a repetition is counted on them. */
const room = 1000;
/** Milliseconds from one round of writing to the next, and how many are written in each. */
const pace = { interval: 1000, writes: 5 };
/** Milliseconds before a repetition is written on an Event again, and before a failure is logged again. */
const patience = { repetition: 60_000, complaint: 60_000 };
/** As long as the Events of others are. */
const maxMessage = 1024;

interface Entry {
  event: ReportedEvent;
  /** Repetitions that are written. */
  written: number;
  /** Repetitions that are not. */
  waiting: number;
  first: Date;
  last: Date;
  /** When it may be written again. */
  due: number;
  /** The Event's name, once there is one. */
  name?: string;
}

/**
 * Writes Events (core/v1) at a bounded pace, so that a thousand pods with one mistake do not become a thousand
 * requests: what is said again of an object is counted on the Event that is there. What there is no room for is
 * dropped and counted; what the API server refuses is counted, logged at most once a minute, and not tried again.
 */
export function createReport({ api, counter, log }: EventOptions): Report {
  /** By what is said of what, the least recently reported first. */
  const entries = new Map<string, Entry>();
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let nextComplaint = 0;
  const tally = (result: (typeof eventResults)[number]) => counter.inc({ result });

  function report(event: ReportedEvent): void {
    const { about, reason, message } = event;
    const key = JSON.stringify([about, reason, message]);
    const entry = entries.get(key) ?? newEntry(event);
    if (!entry) {
      tally('dropped');
      return;
    }
    entry.waiting++;
    entry.last = new Date();
    entries.delete(key);
    entries.set(key, entry);
    timer ??= setInterval(writeSome, pace.interval).unref();
  }

  /** In the place of one that has been written, if there is no room. */
  function newEntry(event: ReportedEvent): Entry | undefined {
    if (entries.size >= room && !forgetOne()) return undefined;
    const now = new Date();
    return { event, written: 0, waiting: 0, first: now, last: now, due: 0 };
  }

  function forgetOne(): boolean {
    for (const [key, { waiting }] of entries) if (waiting === 0) return entries.delete(key);
    return false;
  }

  function writeSome(): void {
    const waiting = [...entries.values()].filter((entry) => entry.waiting > 0);
    if (waiting.length === 0) {
      clearInterval(timer);
      timer = undefined;
    }
    for (const entry of waiting.filter(({ due }) => due <= performance.now()).slice(0, pace.writes))
      void write(entry);
  }

  async function write(entry: Entry): Promise<void> {
    const count = entry.written + entry.waiting;
    entry.written = count;
    entry.waiting = 0;
    entry.due = performance.now() + patience.repetition;
    try {
      if (!(entry.name !== undefined && (await recount(entry, count)))) await create(entry, count);
      tally('written');
    } catch (error) {
      tally('failed');
      complain(error as Error);
    }
  }

  async function create(entry: Entry, count: number): Promise<void> {
    const { namespace } = entry.event.about;
    const { metadata } = await api.call<CoreV1Event>({
      method: 'POST',
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`,
      body: toEvent(entry, count),
    });
    entry.name = metadata.name!;
  }

  /** False when the Event is there no more: the API server keeps them for an hour. */
  async function recount({ event, name, last }: Entry, count: number): Promise<boolean> {
    try {
      await api.call({
        method: 'PATCH',
        path: `/api/v1/namespaces/${encodeURIComponent(event.about.namespace)}/events/${name}`,
        contentType: 'application/merge-patch+json',
        body: { count, lastTimestamp: last.toISOString() },
      });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }

  function complain({ message }: Error): void {
    failures++;
    if (performance.now() < nextComplaint) return;
    log('warn', 'cannot write Events', { failures, error: message });
    failures = 0;
    nextComplaint = performance.now() + patience.complaint;
  }

  return report;
}

function toEvent({ event, first, last }: Entry, count: number): CoreV1Event {
  const { about, type, reason, message } = event;
  return {
    metadata: { namespace: about.namespace, generateName: 'bpf-sidecar-' },
    involvedObject: about,
    type,
    reason,
    message: message.slice(0, maxMessage),
    count,
    // As the API server has times, which are Dates only for client-node's own serializer.
    firstTimestamp: first.toISOString() as never,
    lastTimestamp: last.toISOString() as never,
    source: { component: 'bpf-sidecar', host: hostname() },
    reportingComponent: 'bpf-sidecar',
    reportingInstance: hostname(),
  };
}
