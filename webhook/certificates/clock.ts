import { setTimeout as delay } from 'node:timers/promises';

/** Time, so that tests can move it. Milliseconds throughout. */
export interface Clock {
  /** Since the epoch. */
  now(): number;
  /** Resolves after `time`, or at once when `signal` is aborted. */
  sleep(time: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: Date.now,
  sleep: (time, signal) => delay(time, undefined, { signal }).catch(() => {}),
};
