import { setTimeout as delay } from 'node:timers/promises';

/** Spreads what happens, at most `perSecond`, evenly over time. */
export function createPace(perSecond: number, signal: AbortSignal): () => Promise<void> {
  const step = 1000 / perSecond;
  let next = 0;
  return async () => {
    const now = performance.now();
    const at = Math.max(now, next);
    next = at + step;
    if (at > now) await delay(at - now, undefined, { signal });
  };
}
