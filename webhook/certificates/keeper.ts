import type { Server } from 'node:tls';
import type { Log } from '../../sidecar/contract/log.ts';
import type { Metrics } from '../metrics.ts';
import type { Clock } from './clock.ts';
import { issuePlaceholder, type Leaf } from './leaf.ts';
import { createRemarks } from './remarks.ts';
import type { Look, Source } from './source.ts';

export interface KeeperOptions {
  /** Connections stay open when its certificate changes; new ones get the new certificate. */
  server: Pick<Server, 'setSecureContext'>;
  source: Source;
  clock: Clock;
  metrics: Pick<Metrics, 'certificateNotAfter' | 'certificateRenewals' | 'certificateFailures'>;
  log: Log;
}

export interface Keeper {
  /** Resolves when the server has its first certificate. */
  readonly ready: Promise<void>;
  /** Why the server must not be called now, as a sentence; undefined when it can be. */
  problem(): string | undefined;
  /** Looks at once, for something has changed. */
  wake(): void;
  stop(): void;
}

/** Milliseconds between two looks at least, so that whoever changes all the time what we change is no match for us. */
const pause = 1_000;

/** Milliseconds until the first attempt after a failure, and the most that it grows to. */
const patience = { first: 1_000, most: 60_000 };

/**
 * Keeps the server supplied with a certificate until it is stopped, and goes on with the last one whatever fails. Without a
 * first one, it has the server shake hands with one that nobody trusts, so that probes learn why.
 */
export function keepCertificate({ server, source, clock, metrics, log }: KeeperOptions): Keeper {
  const stopping = new AbortController();
  const ready = Promise.withResolvers<void>();
  const tell = createRemarks(log);
  let awake = new AbortController();
  let held: Leaf | undefined;
  let hasPlaceholder = false;
  let lastLook: Look = { remarks: [], again: 0 };

  async function look(): Promise<Look> {
    try {
      const found = await source.look(held);
      if (found.leaf) install(found.leaf);
      else if (!held && !hasPlaceholder) await installPlaceholder();
      return found;
    } catch (error) {
      const sentence = `no certificate could be made: ${(error as Error).message}`;
      return { remarks: [{ about: 'certificate', sentence, failure: 'internal' }], again: clock.now() };
    }
  }

  function install(leaf: Leaf): void {
    server.setSecureContext({ cert: leaf.cert, key: leaf.key });
    held = leaf;
    metrics.certificateNotAfter.set({ certificate: 'leaf' }, leaf.notAfter / 1000);
    metrics.certificateRenewals.inc({ certificate: 'leaf' });
    log('info', 'certificate renewed', { notAfter: new Date(leaf.notAfter).toISOString() });
    ready.resolve();
  }

  async function installPlaceholder(): Promise<void> {
    server.setSecureContext(await issuePlaceholder());
    hasPlaceholder = true;
  }

  function account({ authorityNotAfter, step, remarks }: Look): void {
    if (authorityNotAfter !== undefined)
      metrics.certificateNotAfter.set({ certificate: 'authority' }, authorityNotAfter / 1000);
    if (step) {
      if (step === 'make-first' || step === 'promote')
        metrics.certificateRenewals.inc({ certificate: 'authority' });
      log('info', 'certificate authorities changed', { step });
    }
    for (const { failure } of remarks) if (failure) metrics.certificateFailures.inc({ reason: failure });
    tell(remarks, clock.now());
  }

  async function run(): Promise<void> {
    let wait = patience.first;
    while (!stopping.signal.aborted) {
      awake = new AbortController();
      lastLook = await look();
      account(lastLook);
      const failed = lastLook.remarks.some(({ failure }) => failure);
      const time = failed ? wait * (0.5 + Math.random() / 2) : lastLook.again - clock.now();
      wait = failed ? Math.min(2 * wait, patience.most) : patience.first;
      await clock.sleep(pause, stopping.signal);
      await clock.sleep(Math.max(0, time - pause), AbortSignal.any([stopping.signal, awake.signal]));
    }
  }

  void run();
  return {
    ready: ready.promise,
    problem() {
      if (!held) return `there is no certificate yet: ${lastLook.remarks[0]?.sentence ?? 'starting'}`;
      if (held.notAfter > clock.now()) return undefined;
      return `the certificate has expired at ${new Date(held.notAfter).toISOString()}`;
    },
    wake: () => awake.abort(),
    stop: () => stopping.abort(),
  };
}
