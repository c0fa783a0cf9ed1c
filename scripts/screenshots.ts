/**
 * Takes the pictures of the status page that the documents show, of the demo's pod at work with the program of the tutorial:
 * `npm run screenshots`.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { type BrowserContextOptions, chromium } from 'playwright-core';
import { type Arch, compileObject } from './bpf/compile.ts';
import { at, step } from './progress.ts';

const folder = join(import.meta.dirname, '../docs/images');
/** Seconds that the plots have been drawn for. */
const seconds = 150;

interface Picture extends BrowserContextOptions {
  /** What is at the top of it, where that is not the top of the page. */
  from?: string;
}

const pictures: Readonly<Record<string, Picture>> = {
  'status-page.png': { viewport: { width: 1280, height: 1000 }, colorScheme: 'light' },
  'status-page-durations.png': {
    viewport: { width: 1280, height: 900 },
    colorScheme: 'light',
    from: '#family-bpf_syscall_duration_seconds',
  },
  'tutorial.png': {
    viewport: { width: 1280, height: 900 },
    colorScheme: 'light',
    from: '#family-bpf_loop_wakeups_total',
  },
  'status-page-phone.png': {
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
    deviceScaleFactor: 1.5,
    isMobile: true,
  },
};

const example = join(import.meta.dirname, '../examples/event-loop');
const object = join(mkdtempSync(join(tmpdir(), 'bpf-sidecar-screenshots-')), 'loop.bpf.o');
await compileObject(join(example, 'loop.bpf.c'), object, process.arch as Arch);
const demo = spawn(
  process.execPath,
  [
    ...[join(import.meta.dirname, 'demo.ts'), '--keep', '--seconds', '1'],
    ...['--program', object, '--spec', join(example, 'loop.yaml')],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', chromiumSandbox: false });
try {
  const url = await step('The pod of the demo', addressOf, { done: 'at work' });
  const pages = await Promise.all(
    Object.entries(pictures).map(async ([name, { from, ...options }]) => {
      const page = await (await browser.newContext(options)).newPage();
      await page.goto(url);
      return { page, from, path: join(folder, name) };
    }),
  );
  await step(`Its page, ${url}, is open`, async () => {
    for (let second = 0; second < seconds; second++) {
      at(second, seconds, 's');
      await delay(1000);
    }
  });
  mkdirSync(folder, { recursive: true });
  for (const { page, from, path } of pages) {
    if (from !== undefined) {
      await page.goto(new URL(from, page.url()).href);
      // What is left of the part before would be in the way.
      await page.evaluate('scrollBy(0, 24)');
    }
    await page.screenshot({ path });
    console.log(`${path}: ${Math.ceil(statSync(path).size / 1024)} KiB`);
  }
} finally {
  await browser.close();
  demo.kill('SIGINT');
  await once(demo, 'exit');
  rmSync(dirname(object), { recursive: true });
}

async function addressOf(): Promise<string> {
  for await (const line of createInterface(demo.stdout)) {
    const [, url] = /In a browser: (\S+)/.exec(line) ?? [];
    if (url !== undefined) {
      demo.stdout.resume();
      return url;
    }
  }
  throw new Error('the demo ended before its pod was there');
}
