import { watch } from 'node:fs';
import { attempt } from '../attempt.ts';

/** Milliseconds: inotify does not see every kind of mount. */
const pollPeriod = 10_000;

/**
 * Calls `look` after something happens in a directory, `settleTime` milliseconds later so that what is several
 * events is one, and now and then whatever happens. Returns what ends that.
 */
export function watchDirectory(directory: string, settleTime: number, look: () => void): () => void {
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
