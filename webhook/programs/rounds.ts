import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../sidecar/contract/log.ts';

/**
 * Runs `action` again and again until the signal, with `pause` milliseconds between, half of it at random so that the
 * replicas do not all write at once. What goes wrong is told in the log as `complaint`, once as long as it stays the same.
 */
export async function runRounds(
  { log, signal, pause, complaint }: { log: Log; signal: AbortSignal; pause: number; complaint: string },
  action: () => Promise<void>,
): Promise<void> {
  let lastProblem: string | undefined;
  while (!signal.aborted) {
    await delay(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    try {
      await action();
      lastProblem = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message !== lastProblem && !signal.aborted) log('warn', complaint, { error: message });
      lastProblem = message;
    }
  }
}
