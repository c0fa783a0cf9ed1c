import { print } from '../../webhook/cli/top/terminal.ts';

/** The course of a program that must leave nothing behind, whatever way its end comes. */
export interface Lifetime {
  /**
   * Aborted by a signal, whose name is the reason, or by an error that nobody caught, which is it then. Output
   * that nobody reads any more counts as SIGPIPE.
   */
  signal: AbortSignal;
  /** Has something undone at the end; what was deferred last is undone first. */
  defer(undo: () => Promise<void> | void): void;
  /** Undoes everything; what fails in it is printed and hinders nothing else. */
  end(): Promise<void>;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function beginLifetime(): Lifetime {
  const controller = new AbortController();
  // The handlers stay, so that a second Ctrl-C does not cut the cleaning up short.
  for (const name of signals) process.on(name, () => controller.abort(name));
  process.on('uncaughtException', (error: NodeJS.ErrnoException) =>
    controller.abort(error.code === 'EPIPE' ? 'SIGPIPE' : error),
  );

  const undos: (() => Promise<void> | void)[] = [];
  return {
    signal: controller.signal,
    defer: (undo) => void undos.push(undo),
    async end() {
      for (let undo = undos.pop(); undo; undo = undos.pop()) {
        try {
          await undo();
        } catch (error) {
          print(`  could not clean up: ${(error as Error).message}`);
        }
      }
    },
  };
}
