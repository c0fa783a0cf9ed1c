import { setImmediate as turn } from 'node:timers/promises';

export interface QueueOptions {
  /** Does what there is to do for a key; when it rejects it is called again, later each time. */
  work(key: string): Promise<void>;
  onError(key: string, error: Error): void;
  /** Keys that are worked on at once. */
  concurrency: number;
  /** Milliseconds before the second attempt, and the most that it grows to. */
  patience: { first: number; most: number };
}

/** Keys that something has to be done for, each once at a time. */
export interface Queue {
  /** Has `key` worked on in `delay` milliseconds, or earlier where that was asked for. */
  add(key: string, delay?: number): void;
  /** Keys that are worked on or wait for it. */
  readonly size: number;
  stop(): void;
}

export function createQueue({ work, onError, concurrency, patience }: QueueOptions): Queue {
  const waiting = new Map<string, { timer: NodeJS.Timeout; at: number }>();
  const ready = new Set<string>();
  /** Those that are worked on; true when the key was added again meanwhile. */
  const running = new Map<string, boolean>();
  const attempts = new Map<string, number>();
  let stopped = false;

  function add(key: string, delay = 0): void {
    if (stopped || ready.has(key)) return;
    const at = performance.now() + delay;
    const earlier = waiting.get(key);
    if (earlier && earlier.at <= at) return;
    clearTimeout(earlier?.timer);
    waiting.delete(key);
    if (delay > 0) waiting.set(key, { at, timer: setTimeout(fire, delay, key) });
    else fire(key);
  }

  function fire(key: string): void {
    waiting.delete(key);
    if (running.has(key)) running.set(key, true);
    else ready.add(key);
    while (running.size < concurrency && ready.size > 0) {
      const [next] = ready;
      ready.delete(next!);
      void run(next!);
    }
  }

  async function run(key: string): Promise<void> {
    running.set(key, false);
    // Thousands of keys for which there is nothing to do must not hold up everything else.
    await turn();
    try {
      if (!stopped) await work(key);
      attempts.delete(key);
    } catch (error) {
      if (!stopped) {
        onError(key, error as Error);
        const failures = attempts.get(key) ?? 0;
        attempts.set(key, failures + 1);
        add(key, Math.min(patience.first * 2 ** failures, patience.most) * (0.5 + Math.random() / 2));
      }
    }
    const again = running.get(key);
    running.delete(key);
    if (again) ready.add(key);
    const [next] = ready;
    if (next !== undefined) fire(next);
  }

  return {
    add,
    get size() {
      return waiting.size + ready.size + running.size;
    },
    stop() {
      stopped = true;
      for (const { timer } of waiting.values()) clearTimeout(timer);
      waiting.clear();
      ready.clear();
    },
  };
}
