import { setTimeout } from 'node:timers/promises';

const period = 20;

/** Tries until the check passes, for what the kernel or another process does in its own time; then its last error. */
export async function eventually<T>(check: () => T | Promise<T>, patience = 20_000): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await setTimeout(period);
    }
  }
}
