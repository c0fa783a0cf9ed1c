import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Negotiator from 'negotiator';
import type { Report } from './report.ts';
import type { Answer, Routes } from './server.ts';
import { renderReport } from './status.ts';

/** Where the built page is: beside the bundle in an image, in build/ when the sources are run as they are. */
export const pageDirectory = import.meta.filename.endsWith('.ts')
  ? join(import.meta.dirname, '../build/page')
  : join(import.meta.dirname, 'page');

/** What the page loads, by its path. */
const parts = {
  '/page/page.js': 'text/javascript; charset=utf-8',
  '/page/page.css': 'text/css; charset=utf-8',
  '/page/icon.svg': 'image/svg+xml',
} as const;

/** Everything that the page shows and does comes from the sidecar itself, and nothing of it is written into the page. */
const contentSecurityPolicy = [
  "default-src 'none'",
  ...['script-src', 'style-src', 'img-src', 'connect-src'].map((kind) => `${kind} 'self'`),
  ...['base-uri', 'form-action', 'frame-ancestors'].map((kind) => `${kind} 'none'`),
].join('; ');

const headers = {
  'cache-control': 'no-store',
  'content-security-policy': contentSecurityPolicy,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** By media type; the first is for those who do not mind, such as curl. */
const representations: Readonly<Record<string, (report: () => Report) => Answer>> = {
  'text/plain': (report) => ({
    status: 200,
    contentType: 'text/plain; charset=utf-8',
    body: renderReport(report()),
    headers,
  }),
  'text/html': () => readPart('index.html', 'text/html; charset=utf-8'),
  'application/json': (report) => ({
    status: 200,
    contentType: 'application/json',
    body: JSON.stringify(report()),
    headers,
  }),
};

/** `/` for people, as text or as a page, and for the page itself as JSON; and what the page loads. */
export function createPageRoutes(report: () => Report): Routes {
  const ofParts = Object.entries(parts).map(([path, contentType]) => [
    path,
    () => readPart(path.slice('/page/'.length), contentType),
  ]);
  return {
    '/': ({ accept }) => represent(accept)(report),
    ...Object.fromEntries(ofParts),
  };
}

function represent(accept: string): (report: () => Report) => Answer {
  const types = Object.keys(representations);
  const wanted = new Negotiator({ headers: { accept } }).mediaType(types) ?? types[0]!;
  return representations[wanted]!;
}

/** From the disk each time: few ask, and memory is what a sidecar costs most. */
function readPart(name: string, contentType: string): Answer {
  const body = readFileSync(join(pageDirectory, `${name}.gz`));
  return { status: 200, contentType, body, isZipped: true, headers };
}
