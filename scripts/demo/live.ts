import { setTimeout as delay } from 'node:timers/promises';
import { blank, canvas, isTerminal, type Line, print, width } from '../../webhook/cli/top/terminal.ts';
import { failure } from '../node/child.ts';
import type { RunningPod } from '../node/pod.ts';
import { figuresOf } from './figures.ts';
import { type Scrape, scrape } from './scrape.ts';
import { summaries, tables } from './view.ts';

/** How often output that is not a terminal gets a line for each container, in seconds. */
const plainPeriod = 3;

/**
 * Scrapes the pod every second and shows what it does: in place on a terminal, else as lines with the whole
 * at the end. Ends after so many seconds, or at the signal; resolves to the last scrape. Throws when a
 * process of the pod ends.
 */
export async function showLive(
  url: string,
  pod: RunningPod,
  seconds: number,
  signal: AbortSignal,
): Promise<Scrape> {
  const { draw } = canvas();
  const began = performance.now();
  let before = await scrapePod(url, pod);
  let last: Line[] = [];
  for (let second = 1; second <= seconds; second++) {
    const wait = began + second * 1000 - performance.now();
    await delay(Math.max(wait, 0), undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    const now = await scrapePod(url, pod);
    const figures = figuresOf(before, now);
    last = tables(figures, width());
    if (isTerminal) draw([...last, blank, remaining(seconds - second)]);
    else if (second % plainPeriod === 0) for (const line of summaries(figures, second)) print(line);
    before = now;
  }
  if (isTerminal) draw(last);
  else for (const { text, emphasis } of [blank, ...last]) print(text, emphasis);
  return before;
}

function remaining(seconds: number): Line {
  return { text: `  ${seconds} s to go, Ctrl-C ends it now`, emphasis: 'faint' };
}

async function scrapePod(url: string, pod: RunningPod): Promise<Scrape> {
  const end = oneEnds(pod);
  try {
    return await Promise.race([scrape(url), end]);
  } catch (error) {
    // What does not answer may be about to end, and its own last words say more than a failed request.
    await Promise.race([end, delay(2000, undefined, { ref: false })]);
    const { message, cause } = error as Error;
    throw new Error(`the sidecar does not answer: ${cause instanceof Error ? cause.message : message}`);
  }
}

/** Throws when a process of the pod ends. */
export async function oneEnds(pod: RunningPod): Promise<never> {
  const container = await Promise.race(
    pod.containers.map(async (container) => {
      await container.ended;
      return container;
    }),
  );
  throw new Error(failure(`container ${container.name}`, container));
}
