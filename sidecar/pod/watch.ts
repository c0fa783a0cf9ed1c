import { watch } from 'node:fs';
import { attempt } from '../attempt.ts';

/** Milliseconds that a volume gets to finish a change, which is several events. */
const settleTime = 100;
/** Milliseconds: inotify does not see every kind of mount. */
const pollPeriod = 10_000;

/**
 * Calls `look` shortly after something happens in a directory, and now and then whatever happens. Returns
 * what ends that.
 */
export function watchDirectory(directory: string, look: () => void): () => void {
  let pending: NodeJS.Timeout | undefined;
  const lookSoon = () => {
    pending ??= setTimeout(() => {
      pending = undefined;
      look();
    }, settleTime);
  };
  const poll = setInterval(look, pollPeriod);
  const watcher = attempt(() => watch(directory, lookSoon));
  if (watcher instanceof Error) return () => clearInterval(poll);
  watcher.on('error', () => watcher.close());
  return () => {
    watcher.close();
    clearInterval(poll);
    clearTimeout(pending);
  };
}
