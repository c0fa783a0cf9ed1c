import type { Report } from '../report.ts';

/** Milliseconds from one scrape to the next. */
export const interval = 3_000;
/** To the second one, before which there are no rates. */
const firstInterval = 1_000;
/** A page that takes long for a scrape waits so many times as long. */
const restFactor = 10;
const patience = 10_000;

export interface Answer {
  report: Report;
  metrics: string;
  /** Unix time in seconds, of a clock that only goes forward. */
  at: number;
}

export interface Polling {
  /** Asks no more until it is told to go on. */
  pause(isPaused: boolean): void;
}

/**
 * Asks the sidecar again and again, as long as the page is seen. `onFailure` is told in words why there is no answer, or what
 * in it cannot be shown.
 */
export function startPolling(
  onAnswer: (answer: Answer) => void,
  onFailure: (reason: string) => void,
): Polling {
  let paused = false;
  let timer: number | undefined;
  let asking = false;
  let asked = 0;

  const rests = () => paused || document.hidden;

  async function turn(): Promise<void> {
    clearTimeout(timer);
    if (asking || rests()) return;
    asking = true;
    let took = 0;
    try {
      const answer = await askAll();
      const began = performance.now();
      onAnswer(answer);
      took = performance.now() - began;
    } catch (error) {
      onFailure((error as Error).message);
    }
    asking = false;
    asked++;
    // The first time it is building what it later only changes.
    const pause = asked === 1 ? firstInterval : Math.max(interval, took * restFactor);
    if (!rests()) timer = setTimeout(turn, pause);
  }

  document.addEventListener('visibilitychange', turn);
  turn();
  return {
    pause(isPaused) {
      paused = isPaused;
      turn();
    },
  };
}

/** The paths are relative: the page may be behind a proxy, such as the API server's. */
async function askAll(): Promise<Answer> {
  const [report, metrics] = await Promise.all([ask('.', 'application/json'), ask('metrics', 'text/plain')]);
  return { report: JSON.parse(report), metrics, at: (performance.timeOrigin + performance.now()) / 1000 };
}

async function ask(path: string, accept: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(path, {
      headers: { accept },
      cache: 'no-store',
      signal: AbortSignal.timeout(patience),
    });
  } catch (error) {
    const slow = (error as Error).name === 'TimeoutError';
    throw new Error(slow ? `no answer in ${patience / 1000} s` : 'no connection');
  }
  const text = await response.text();
  if (!response.ok)
    throw new Error(`it answers with status ${response.status}: ${text.trim().slice(0, 200)}`);
  return text;
}
