import { parse, type Reading } from '../../webhook/cli/top/samples.ts';

/** What was read of a scrape, and its text. */
export interface Scrape extends Reading {
  text: string;
}

/** Asks for the Prometheus text format and reads it. */
export async function scrape(url: string): Promise<Scrape> {
  const response = await fetch(url, { headers: { accept: 'text/plain;version=0.0.4' } });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`${url} answers with status ${response.status}: ${text.trim().slice(0, 300)}`);
  return { at: performance.now(), samples: parse(text), text };
}

/** The head of a family in a scrape and its greatest sample, of a histogram that of its counts, for people to read. */
export function excerpt(text: string, family: string): string[] {
  const lines = text.split('\n');
  const value = (line: string) => Number(line.slice(line.lastIndexOf(' ')));
  const greatest = lines
    .filter((line) => line.startsWith(`${family}{`) || line.startsWith(`${family}_count{`))
    .sort((a, b) => value(b) - value(a))
    .slice(0, 1);
  return [
    ...lines.filter((line) => line.startsWith(`# HELP ${family} `) || line.startsWith(`# TYPE ${family} `)),
    ...greatest,
  ];
}
