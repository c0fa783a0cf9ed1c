/** `npm run bench`: what the sidecar and the webhook cost, each measured for real on this machine. */

import { benchDispatch } from './bench/dispatch.ts';
import { benchEvents } from './bench/events.ts';
import { benchPods } from './bench/pods.ts';
import { benchPrograms } from './bench/programs.ts';
import { benchRingBuffer } from './bench/ring-buffer.ts';
import type { Row } from './bench/row.ts';
import { benchScrape } from './bench/scrape.ts';
import { benchSeries } from './bench/series.ts';
import { benchSidecar } from './bench/sidecar.ts';
import { benchWeb } from './bench/web.ts';
import { benchWebhook } from './bench/webhook.ts';
import { step } from './progress.ts';

const benches: [name: string, run: () => Promise<Row[]>][] = [
  ['scrape', benchScrape],
  ['dispatchers', benchDispatch],
  ['events', benchEvents],
  ['programs', benchPrograms],
  ['ring buffer', benchRingBuffer],
  ['series', benchSeries],
  ['sidecar', benchSidecar],
  ['web', () => benchWeb()],
  ['webhook', benchWebhook],
  ['pods', benchPods],
];

const rows: Row[] = [];
for (const [index, [name, run]] of benches.entries())
  rows.push(...(await step(`${index + 1} of ${benches.length}: ${name}`, run)));
const width = (column: (row: Row) => string) => Math.max(...rows.map((row) => column(row).length));
const [what, value] = [width((row) => row.what), width((row) => row.value)];
for (const row of rows)
  console.log(`${row.what.padEnd(what)}  ${row.value.padStart(value)}  ${row.target ?? ''}`.trimEnd());
