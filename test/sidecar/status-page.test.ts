import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Report } from '../../sidecar/report.ts';
import { createHttpServer, listen } from '../../sidecar/server.ts';
import { createPageRoutes, pageDirectory } from '../../sidecar/status-page.ts';
import { request } from '../support/http.ts';

/** What Chromium sends. */
const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8';

const report: Report = {
  version: '1.2.3',
  namespace: 'default',
  pod: 'shop',
  uid: '5c2f',
  node: 'n1',
  containers: ['client', 'web'],
  started: 1,
  settled: true,
  probes: [
    {
      name: 'tcp',
      state: '2 program(s)',
      attached: false,
      rejected: 'changed files not accepted, those before are in force: no YAML',
      remark: 'spans are not made',
      metrics: [],
      programs: [
        { name: 'good', section: 'sockops', state: 'attached', attached: true },
        { name: 'bad', section: 'fentry/x', state: 'this kernel has no x; update it', attached: false },
      ],
    },
  ],
  notes: ['the whole has a note'],
  problems: ['probe tcp: this kernel has no x; update it'],
};

async function serve(t: TestContext): Promise<string> {
  const server = createHttpServer(
    createPageRoutes(() => report),
    assert.ifError,
  );
  t.after(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${await listen(server, 0)}`;
}

test('it is text for curl, a page for browsers, JSON for who asks for that', async (t) => {
  const url = `${await serve(t)}/`;
  const typeFor = async (accept: string) =>
    (await request(url, { headers: { accept } })).headers.get('content-type');
  for (const accept of ['*/*', 'text/plain', 'image/png', 'text/*;q=0.5'])
    assert.equal(await typeFor(accept), 'text/plain; charset=utf-8', accept);
  for (const accept of [browser, 'text/html'])
    assert.equal(await typeFor(accept), 'text/html; charset=utf-8');
  const json = await request(url, { headers: { accept: 'application/json' } });
  assert.deepEqual(JSON.parse(json.text), report);
});

test('the text tells who the pod is and each state with its reason', async (t) => {
  assert.equal(
    (await request(`${await serve(t)}/`)).text,
    `bpf-sidecar 1.2.3
pod default/shop on node n1
uid 5c2f
containers client, web

tcp: changed files not accepted, those before are in force: no YAML; 2 program(s)
  spans are not made
  SEC("sockops") good: attached
  SEC("fentry/x") bad: this kernel has no x; update it
the whole has a note

problems: 1
metrics: /metrics
plots: this address in a browser
`,
  );
});

test('the page is whole, small and from here alone, and runs nothing that is written into it', async (t) => {
  const url = await serve(t);
  const html = await request(`${url}/`, { headers: { accept: browser } });
  const policy = html.headers.get('content-security-policy')!;
  assert.match(policy, /^default-src 'none'; /);
  assert.doesNotMatch(policy, /unsafe|data:|https?:|\*/);
  assert.doesNotMatch(html.text, /<style|<script(?![^>]* src=)|\s(style|on\w+)=|https?:\/\//);
  const loaded = [...html.text.matchAll(/<(?:link|script|img)[^>]*(?:href|src)="([^"]*)"/g)].map(
    ([, path]) => path!,
  );
  assert.deepEqual([...new Set(loaded)].sort(), ['page/icon.svg', 'page/page.css', 'page/page.js']);
  for (const path of loaded) {
    const { status, headers, text } = await request(`${url}/${path}`);
    assert.equal(status, 200, path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    const file = readFileSync(join(pageDirectory, `${path.slice('page/'.length)}.gz`));
    assert.equal(text, gunzipSync(file).toString());
    // Who accepts no gzip has the same.
    assert.equal(
      (await request(`${url}/${path}`, { headers: { 'accept-encoding': 'identity' } })).text,
      text,
    );
  }
  const files = readdirSync(pageDirectory);
  assert.deepEqual(files.sort(), ['icon.svg.gz', 'index.html.gz', 'page.css.gz', 'page.js.gz']);
  const size = files.reduce((sum, name) => sum + readFileSync(join(pageDirectory, name)).length, 0);
  assert.ok(size < 100 * 1024, `${size} bytes compressed`);
});
