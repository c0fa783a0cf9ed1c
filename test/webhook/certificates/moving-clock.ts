import type { Clock } from '../../../webhook/certificates/clock.ts';

interface Sleeper {
  at: number;
  wake(): void;
}

/** A clock that stands still until a test moves it. */
export class MovingClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();
  #fellAsleep = () => {};

  constructor(start: number) {
    this.#now = start;
  }

  now = (): number => this.#now;

  sleep = (time: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const sleeper = {
        at: this.#now + time,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      signal.addEventListener('abort', sleeper.wake);
      this.#sleepers.add(sleeper);
      this.#fellAsleep();
    });

  /** Resolves when so many loops sleep. */
  async asleep(loops: number): Promise<void> {
    while (this.#sleepers.size < loops)
      await new Promise<void>((resolve) => {
        this.#fellAsleep = resolve;
      });
  }

  /** Moves to `time` from one awakening to the next; after each of them all `loops` come to sleep again. */
  async moveTo(time: number, loops: number): Promise<void> {
    await this.asleep(loops);
    for (;;) {
      const [first] = [...this.#sleepers].sort((a, b) => a.at - b.at);
      if (!first || first.at > time) break;
      this.#now = Math.max(this.#now, first.at);
      first.wake();
      await this.asleep(loops);
    }
    this.#now = time;
  }
}
