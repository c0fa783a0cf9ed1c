import { createHistory, type History } from '../../../sidecar/page/history.ts';
import { createReader } from '../../../sidecar/page/scrape.ts';

/** The text of one family: a line for each label pairs and value. */
export function family(name: string, type: string, samples: Readonly<Record<string, number>>): string {
  const lines = Object.entries(samples).map(([labels, value]) => `${name}{${labels}} ${value}\n`);
  return `# HELP ${name} What it is.\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

/** A histogram of two bounds, in seconds: events up to each, and all. */
export function histogram(name: string, series: Readonly<Record<string, [number, number, number]>>): string {
  const lines = Object.entries(series).map(
    ([labels, [first, second, all]]) =>
      `${name}_bucket{${labels},le="1"} ${first}\n${name}_bucket{${labels},le="3"} ${second}\n` +
      `${name}_bucket{${labels},le="+Inf"} ${all}\n${name}_sum{${labels}} 0\n${name}_count{${labels}} ${all}\n`,
  );
  return `# HELP ${name} How long it takes: from here to there.\n# TYPE ${name} histogram\n${lines.join('')}`;
}

/** A history of scrapes, ten seconds apart from the time 1000 on; null is where it is broken off. */
export function historyOf(...texts: (string | null)[]): History {
  const history = createHistory();
  const read = createReader();
  texts.forEach((text, index) => {
    if (text === null) history.breakOff();
    else history.add({ at: 1000 + 10 * index, scrape: read(text) });
  });
  return history;
}
