import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { compileProgram } from '../../scripts/bpf/compile-program.ts';
import { chromiumMissing, type OpenPage, openPage } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { request } from '../support/http.ts';
import { entrypoint, type ObservedPod, output, podFor, type Samples } from '../support/pod.ts';
import { podWith } from '../support/programs.ts';
import { transfer } from '../support/traffic.ts';
import { writing } from '../support/work.ts';

/** Calls getpriority, which nothing else here does, for each of some numbers. */
const calling = (from: number, to: number) => [
  'python3',
  '-c',
  `
import ctypes
libc = ctypes.CDLL(None)
for number in range(${from}, ${to}): libc.getpriority(0, number)`,
];

/** Counts getpriority by the number that it is called with. */
const byNumber = () =>
  compileProgram(`
#include <linux/bpf.h>
#include <asm/unistd.h>
#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 20000);
    __type(key, __u32);
    __type(value, __u64);
} numbers SEC(".maps");

struct call {
    __u64 head, number, which, who;
};

SEC("tracepoint/syscalls/sys_enter_getpriority")
int on_call(struct call *call) {
    __u32 key = call->who;
    __u64 one = 1, *count = bpf_map_lookup_elem(&numbers, &key);
    if (count)
        __sync_fetch_and_add(count, 1);
    else
        bpf_map_update_elem(&numbers, &key, &one, BPF_ANY);
    return 0;
}
`);

const hostile = `<img src=x onerror="document.title='changed'"><script>document.title='changed'</script>`;
const numbersSpec = `
metrics:
  counters:
    - name: numbers_total
      help: Calls by number.
      map: numbers
      labels:
        - name: number
          size: 4
          decoders: [{ name: uint }, { name: static_map, static_map: { 1: ${JSON.stringify(hostile)} }, allow_unknown: true }]
`;

/** Waits until a part of the page has this text. */
const shows = (page: Page, selector: string, text: RegExp) =>
  eventually(async () => assert.match(await page.locator(selector).first().innerText(), text));

/** The numbers in the tables of a family, each row by the text of its other cells, each number by its column. */
async function tablesOf(page: Page, family: string): Promise<Record<string, Record<string, number>>[]> {
  const card = page.locator(`#family-${family}`);
  await card.scrollIntoViewIfNeeded();
  return card.locator('table').evaluateAll((tables) =>
    tables.map((table) => {
      const heads = [...table.querySelectorAll('thead th')];
      const isNumber = (index: number) => heads[index]!.classList.contains('number');
      return Object.fromEntries(
        [...table.querySelectorAll('tbody tr')].map((row) => {
          const cells = [...row.children];
          const names = cells.filter((_, index) => !isNumber(index)).map((cell) => cell.textContent);
          const numbers = cells.flatMap((cell, index) => {
            const data = cell.querySelector('data');
            return data ? [[heads[index]!.textContent, Number(data.value)]] : [];
          });
          return [names.join(), Object.fromEntries(numbers)];
        }),
      );
    }),
  );
}

const coloursIn = (canvas: Locator) =>
  canvas.evaluate((element: HTMLCanvasElement) => {
    const { width, height } = element;
    const { data } = element.getContext('2d')!.getImageData(0, 0, width, height);
    return new Set(new Uint32Array(data.buffer)).size;
  });

/** That it has shown what it has without an error, and asked nobody else. */
function assertClean({ errors, origins }: OpenPage, pod: ObservedPod): void {
  assert.deepEqual(errors, []);
  assert.deepEqual([...origins], [new URL(pod.url('/')).origin]);
}

/** What has the focus: what it is called. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const { activeElement: element } = document;
    return element instanceof HTMLSelectElement
      ? element.labels![0]!.firstChild!.textContent?.trim()
      : element?.textContent?.trim();
  });

/** What every page must have for who does not see it. */
async function assertReadable(page: Page): Promise<void> {
  for (const landmark of ['banner', 'navigation', 'main', 'contentinfo'] as const)
    assert.equal(await page.getByRole(landmark).count(), 1, landmark);
  assert.equal(await page.locator('h1').count(), 1);
  const lacking = await page.evaluate(() => ({
    captions: [...document.querySelectorAll('table')].filter((table) => !table.caption?.textContent).length,
    heads: [...document.querySelectorAll('tbody tr')].filter((row) => !row.querySelector('th[scope=row]'))
      .length,
    alternatives: [...document.querySelectorAll('[role=img]')].filter(
      (plot) => (plot.getAttribute('aria-label') ?? '').length < 20,
    ).length,
    images: [...document.querySelectorAll('img:not([alt])')].length,
    names: [...document.querySelectorAll('section, figure')].filter(
      (part) => !document.getElementById(part.getAttribute('aria-labelledby') ?? '')?.textContent,
    ).length,
  }));
  assert.deepEqual(lacking, { captions: 0, heads: 0, alternatives: 0, images: 0, names: 0 });
  assert.equal(
    await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth),
    false,
    'it is wider than the window',
  );
}

async function openOn(t: TestContext, pod: ObservedPod, ...rest: unknown[]): Promise<OpenPage> {
  const opened = await openPage(t, pod.url('/'), ...(rest as []));
  await shows(opened.page, '#state', /./);
  return opened;
}

describe('the status page in a browser', { skip: chromiumMissing }, () => {
  test('tells who the pod is, and its numbers are those of /metrics', async (t) => {
    const pod = await podFor(t, { probes: 'network,syscalls,tcp' });
    const web = pod.addContainer('web');
    await output(web, ...writing(5_000));
    await output(web, 'sh', '-c', 'cat /no/such/file 2> /dev/null || true');
    await transfer(web, pod.sandbox.address!, 500_000, 300_000);
    const opened = await openOn(t, pod);
    const { page } = opened;
    const { namespace, pod: name, uid, node } = pod.sandbox;
    await shows(page, 'h1', new RegExp(`^${namespace}/${name}$`));
    await eventually(async () => {
      const identity = await page.locator('#identity').innerText();
      for (const part of [uid, node, 'web']) assert.ok(identity.includes(part), identity);
    });
    await shows(page, '#state', /^every probe is attached$/);

    const totals = (samples: Samples, family: string, label?: string) => {
      const sums: Record<string, number> = {};
      for (const { name: sample, labels, value } of samples.all)
        if (sample === family && labels.container === 'web' && value > 0) {
          const key = label === undefined ? 'web' : `${labels[label]},web`;
          sums[key] = (sums[key] ?? 0) + value;
        }
      return sums;
    };
    const shown = (table: Record<string, Record<string, number>> | undefined, column: string) =>
      Object.fromEntries(
        Object.entries(table ?? {}).flatMap(([row, numbers]) =>
          row.endsWith('web') ? [[row, numbers[column]!]] : [],
        ),
      );
    // Nothing works in the container any more, though the kernel may still have to do with its connections.
    await eventually(async () => {
      const scrape = await pod.scrape();
      for (const family of [
        'bpf_syscalls_total',
        'bpf_network_io_bytes_total',
        'bpf_network_packet_count_total',
        'bpf_tcp_sent_bytes_total',
        'bpf_tcp_received_bytes_total',
        'bpf_tcp_connections_accepted_total',
      ]) {
        const [legend] = await tablesOf(page, family);
        assert.deepEqual(shown(legend, 'total'), totals(scrape, family), family);
      }
      for (const family of ['bpf_syscall_duration_seconds', 'bpf_tcp_rtt_seconds']) {
        const [containers] = await tablesOf(page, family);
        assert.deepEqual(shown(containers, 'events'), totals(scrape, `${family}_count`), family);
      }
      const [, busiest] = await tablesOf(page, 'bpf_syscalls_total');
      const all = totals(scrape, 'bpf_syscalls_total', 'syscall');
      assert.equal(shown(busiest, 'total')['write,web'], all['write,web']);
      for (const [row, total] of Object.entries(shown(busiest, 'total'))) assert.equal(total, all[row], row);
    });
    await page.locator('summary').first().click();
    await shows(page, '#probe-network details table', /cgroup_skb\/egress\s+attached/);
    await assertReadable(page);
    assertClean(opened, pod);
  });

  test('a rate is what was counted, by the time that it took', async (t) => {
    const pod = await podFor(t, { probes: 'syscalls' });
    const web = pod.addContainer('web');
    await output(web, 'true');
    const { page } = await openOn(t, pod);
    await shows(page, '#family-bpf_syscalls_total .tables', /Busiest in the last/);
    await output(web, ...writing(60_000));
    await eventually(async () => {
      const [legend, busiest] = await tablesOf(page, 'bpf_syscalls_total');
      assert.equal(busiest!['write,web']!.total, 60_000);
      assert.ok(legend!.web!.most! >= 60_000 / 5, 'within one interval or two');
      const words = await page.locator('#family-bpf_syscalls_total caption').last().innerText();
      const seconds = Number(/in the last (\d+) s/.exec(words)![1]);
      const whole = busiest!['write,web']!.rate! * seconds;
      // The words have whole seconds.
      assert.ok(Math.abs(whole / 60_000 - 1) < 0.5 / seconds + 0.01, `${whole} in ${seconds} s`);
    });
  });

  test('a probe that an annotation switches on appears, and goes when it is switched off', async (t) => {
    const pod = await podFor(t, { probes: 'syscalls' });
    const annotate = (probes: string) =>
      pod.running.updateAnnotations({ 'bpf.sh/inject': 'true', 'bpf.sh/probes': probes });
    const opened = await openOn(t, pod);
    const { page } = opened;
    assert.equal(await page.locator('#probe-tcp').count(), 0);
    annotate('syscalls,tcp');
    await shows(page, '#probe-tcp .badge', /^attached$/);
    await shows(page, 'nav', /tcp/);
    annotate('tcp,none');
    await shows(
      page,
      '#problems',
      /^Notes\s+annotations not accepted, nothing changed:\s+annotation bpf\.sh\/probes="tcp,none": unknown probe "none"; allowed are/,
    );
    annotate('tcp');
    await eventually(async () => assert.equal(await page.locator('#probe-syscalls').count(), 0));
    assert.equal(await page.locator('#problems').isVisible(), false);
    annotate('');
    await shows(
      page,
      '#problems',
      /no probe is switched on: name some in the pod's annotation bpf\.sh\/probes/,
    );
    await shows(page, '#state', /^no probe is switched on$/);
    // What the sidecar takes itself is still shown.
    await shows(page, '#cost .figures', /memory/);
    await assertReadable(page);
    assertClean(opened, pod);
  });

  test('a probe that is not attached shows its reason, in the words of /readyz', async (t) => {
    const pod = await podFor(t, {
      probes: 'tcp,syscalls',
      edit(sidecar) {
        sidecar.command = ['setpriv', '--bounding-set', '-net_admin,-sys_admin', ...entrypoint];
      },
    });
    const opened = await openOn(t, pod);
    const { page } = opened;
    const [problem] = (await request(pod.url('/readyz'))).text.split('\n');
    assert.match(
      problem!,
      /^probe tcp: program \w+ cannot be loaded: EPERM \(not permitted: the container must/,
    );
    await shows(page, '#state', /^problems: 1$/);
    assert.equal(await page.locator('#problems li').innerText(), problem);
    await shows(page, '#probe-tcp .badge', /^\d of \d programs attached$/);
    const reason = problem!.replace('probe tcp: ', '');
    assert.ok((await page.locator('#probe-tcp .reasons').innerText()).endsWith(reason));
    await shows(page, '#probe-syscalls .badge', /^attached$/);
    assertClean(opened, pod);
  });

  test('10,000 series and label values of HTML: text, few rows, and it goes on', async (t) => {
    const { pod } = await podWith(t, { mine: { elf: await byNumber(), yaml: numbersSpec } });
    const web = pod.addContainer('web');
    await output(web, ...calling(0, 10_000));
    for (let i = 0; i < 3; i++) await output(web, ...calling(1, 2));
    const opened = await openOn(t, pod);
    const { page } = opened;
    const card = '#family-bpf_numbers_total';
    await shows(page, `${card} tbody`, /./);
    await eventually(async () => {
      const [, busiest] = await tablesOf(page, 'bpf_numbers_total');
      assert.equal(Object.keys(busiest!).length, 8);
      assert.deepEqual(busiest![hostile]?.total, 4);
    });
    await shows(page, `${card} .tables`, /and 9,992 more/);
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.equal(await page.title(), `${pod.sandbox.pod} · bpf-sidecar`);
    assert.ok((await page.locator('*').count()) < 1500);
    const before = await page.locator('#updated').innerText();
    await eventually(async () => assert.notEqual(await page.locator('#updated').innerText(), before));
    await output(web, ...calling(1, 2));
    await eventually(async () => {
      const [legend, busiest] = await tablesOf(page, 'bpf_numbers_total');
      assert.equal(busiest![hostile]!.total, 5);
      assert.equal(legend!.pod!.total, 10_004);
    });
    await assertReadable(page);
    assertClean(opened, pod);
  });

  test('a sidecar that ends and begins anew: it says so, and goes on by itself without negative rates', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const go = join(directory, 'go');
    writeFileSync(go, '');
    const pod = await podFor(t, {
      probes: 'syscalls',
      edit(sidecar, { spec }) {
        // As kubelet starts it again, once there is the file.
        const loop = `trap 'kill $! ; exit' TERM; while :; do if [ -e /restart/go ]; then "$@" & echo $! > /restart/pid; wait $!; fi; sleep 0.1; done`;
        sidecar.command = ['sh', '-c', loop, 'sh', ...entrypoint];
        spec!.volumes!.push({ name: 'restart', hostPath: { path: directory } });
        sidecar.volumeMounts!.push({ name: 'restart', mountPath: '/restart' });
      },
    });
    const web = pod.addContainer('web');
    await output(web, ...writing(100_000));
    const { page, errors } = await openOn(t, pod);
    const written = async () => (await tablesOf(page, 'bpf_syscalls_total'))[1]?.['write,web']?.total;
    await eventually(async () => assert.equal(await written(), 100_000));

    rmSync(go);
    process.kill(Number(readFileSync(join(directory, 'pid'), 'utf8')), 'SIGKILL');
    await shows(
      page,
      '[role=status]',
      /^Nothing new from the sidecar since \d\d:\d\d:\d\d: no connection\. It is asked again every 3 s\.$/,
    );
    assert.equal(await written(), 100_000, 'what is known stays');
    assert.ok(
      errors.every((error) => error.includes('ERR_CONNECTION_REFUSED')),
      errors.join('\n'),
    );

    writeFileSync(go, '');
    await shows(
      page,
      '[role=status]',
      /^The sidecar began anew at \d\d:\d\d:\d\d, and its counters with it\.$/,
    );
    await output(web, ...writing(70));
    await eventually(async () => assert.equal(await written(), 70));
    for (const table of await tablesOf(page, 'bpf_syscalls_total'))
      for (const [row, numbers] of Object.entries(table))
        for (const [title, number] of Object.entries(numbers))
          assert.ok(number >= 0, `${row} ${title} ${number}`);
    assert.ok(existsSync(go));
  });

  test('by keyboard everything is reached in its order, and keeps the focus while numbers change', async (t) => {
    const pod = await podFor(t, { probes: 'network,syscalls' });
    await output(pod.addContainer('web'), ...writing(100));
    const { page } = await openOn(t, pod);
    const order: (string | undefined)[] = [];
    for (let i = 0; i < 9; i++) {
      await page.keyboard.press('Tab');
      order.push(await focused(page));
    }
    assert.deepEqual(order, [
      'Skip to the probes',
      'network: attached',
      'syscalls: attached',
      'Container',
      'Pause',
      '5 programs',
      '2 programs',
      'metrics',
      'readiness',
    ]);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    const outlined = await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle);
    assert.equal(outlined, 'solid');
    await page.keyboard.press('Enter');
    const before = await page.locator('#updated').innerText();
    await eventually(async () => assert.notEqual(await page.locator('#updated').innerText(), before));
    assert.equal(await focused(page), '2 programs');
    assert.equal(await page.locator('#probe-syscalls details').getAttribute('open'), '');
    await page.locator('#container').selectOption('web');
    await eventually(async () =>
      assert.deepEqual(await page.locator('#container option').allInnerTexts(), ['all', 'web']),
    );
  });

  test('it asks nothing while it is hidden or paused', async (t) => {
    const pod = await podFor(t, { probes: '' });
    const { page } = await openOn(t, pod, {}, (opened: Page) => opened.clock.install());
    let asked = 0;
    page.on('request', () => asked++);
    const hide = (hidden: boolean) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { value, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    /** What is asked in a minute of the page's clock, which goes faster than ours. */
    const inAMinute = async () => {
      const before = asked;
      await page.clock.runFor(60_000);
      return asked - before;
    };
    assert.ok((await inAMinute()) > 0);
    await hide(true);
    await page.waitForLoadState('networkidle');
    assert.equal(await inAMinute(), 0);
    await hide(false);
    await eventually(async () => assert.ok((await inAMinute()) > 0));
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.waitForLoadState('networkidle');
    assert.equal(await inAMinute(), 0);
    assert.equal(await page.getByRole('button', { name: 'Pause' }).getAttribute('aria-pressed'), 'true');
  });

  test('it works behind a proxy that has it below a path, as the API server has', async (t) => {
    const pod = await podFor(t, { probes: 'syscalls' });
    await output(pod.addContainer('web'), ...writing(100));
    const path = `/api/v1/namespaces/default/pods/${pod.sandbox.pod}:9387/proxy`;
    const proxy = createServer((incoming, outgoing) => {
      const { headers, url = '' } = incoming;
      if (!url.startsWith(`${path}/`)) return outgoing.writeHead(404).end();
      get(pod.url(url.slice(path.length)), { headers }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      });
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    t.after(() => proxy.close().closeAllConnections());
    const origin = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const { page, errors, origins } = await openPage(t, `${origin}${path}/`);
    await shows(page, '#family-bpf_syscalls_total .tables', /web/);
    assert.deepEqual([errors, [...origins]], [[], [origin]]);
  });

  test('on a phone, in the dark, it is as wide as the screen', async (t) => {
    const pod = await podFor(t, { probes: 'syscalls,network' });
    const web = pod.addContainer('web');
    await output(web, ...writing(1_000));
    await transfer(web, pod.sandbox.address!, 500_000, 300_000);
    const { page } = await openOn(t, pod, { viewport: { width: 360, height: 740 }, colorScheme: 'dark' });
    await shows(page, '#family-bpf_syscall_duration_seconds .tables', /Slowest/);
    for (const family of ['bpf_syscalls_total', 'bpf_syscall_duration_seconds']) {
      const card = page.locator(`#family-${family}`);
      await card.scrollIntoViewIfNeeded();
      await eventually(async () =>
        assert.ok((await coloursIn(card.locator('canvas'))) > 20, `${family} is drawn`),
      );
    }
    await assertReadable(page);
    assert.equal(
      await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
      'rgb(13, 18, 24)',
    );
  });
});
