import { existsSync } from 'node:fs';
import { after, type TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

export const chromiumMissing = existsSync(executablePath) ? false : 'needs the Debian package chromium';

let browser: Promise<Browser> | undefined;
after(async () => (await browser)?.close());

/** A page of Chromium, and what it must not have done. */
export interface OpenPage {
  page: Page;
  /** Errors of scripts, violations of the Content-Security-Policy, and whatever else the console tells as an error. */
  errors: string[];
  /** The origins that it asked for something. */
  origins: Set<string>;
}

/** Opens an address in a headless Chromium, which a test file starts once. */
export async function openPage(
  t: TestContext,
  url: string,
  options: BrowserContextOptions = {},
  prepare: (page: Page) => Promise<unknown> = async () => {},
): Promise<OpenPage> {
  browser ??= launch();
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 900 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(5_000);
  const errors: string[] = [];
  const origins = new Set<string>();
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('request', (request) => origins.add(new URL(request.url()).origin));
  await prepare(page);
  await page.goto(url);
  return { page, errors, origins };
}

/** Root may not use Chromium's sandbox. */
function launch(): Promise<Browser> {
  return chromium.launch({ executablePath, chromiumSandbox: false });
}
