import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { builtinProbes } from '../../sidecar/contract/probes.ts';
import { parse } from '../../webhook/cli/top/samples.ts';
import { eventually } from '../support/eventually.ts';
import {
  parseOpenMetrics,
  promtoolComplaints,
  promtoolMissing,
  pythonClientMissing,
} from '../support/exposition.ts';
import { request } from '../support/http.ts';
import { type ObservedPod, output, startObservedPod } from '../support/pod.ts';
import { transfer } from '../support/traffic.ts';
import { writing } from '../support/work.ts';

const textType = 'text/plain; version=0.0.4; charset=utf-8';
const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** What Prometheus 2.42 and 3.5 send. */
const prometheus2 =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const prometheus3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1';

interface Series {
  name: string;
  labels: Readonly<Record<string, string>>;
}

/** A bound is written 1 in one format and 1.0 in the other. */
const identity = ({ name, labels: { le, ...labels } }: Series) =>
  JSON.stringify([name, Object.entries(labels).sort(), le === undefined || le === '+Inf' ? le : Number(le)]);

const isCreated = ({ name }: Series) => name.endsWith('_created');

/**
 * Those of the pod that both formats have: the sidecar's own about itself change with every scrape, and only
 * OpenMetrics tells since when a counter counts.
 */
const ofPod = (series: Series) => !series.name.startsWith('bpf_sidecar_') && !isCreated(series);

const values = (samples: (Series & { value: number })[]) =>
  new Map(samples.filter(ofPod).map((sample) => [identity(sample), sample.value]));

describe('the exposition of all built-in probes after some traffic', () => {
  const started = Date.now() / 1000;
  let pod: ObservedPod;
  before(async () => {
    pod = await startObservedPod({ probes: builtinProbes.join(',') });
    const web = pod.addContainer('web');
    await output(web, ...writing(1000));
    await output(web, 'sh', '-c', 'cat /no/such/file 2>/dev/null || true');
    await transfer(web, pod.sandbox.address!, 500_000, 300_000);
  });
  after(() => pod.stop());

  const scrape = (accept: string) => request(pod.url('/metrics'), { headers: { accept } });

  test('is the text format where nobody asks for another, OpenMetrics for Prometheus', async () => {
    for (const [accept, type] of [
      ['*/*', textType],
      ['text/plain;version=0.0.4', textType],
      ['application/openmetrics-text', openMetricsType],
      [prometheus2, openMetricsType],
      [prometheus3, openMetricsType],
    ] as const)
      assert.equal((await scrape(accept)).headers.get('content-type'), type, accept);
  });

  test('answers HEAD as GET, without a body', async () => {
    const { status, headers, text } = await request(pod.url('/metrics'), { method: 'HEAD' });
    assert.deepEqual([status, headers.get('content-type'), text], [200, textType, '']);
    assert.ok(Number(headers.get('content-length')) > 1000);
  });

  test('has every kind of series of each probe, and promtool nothing to object', {
    skip: promtoolMissing,
  }, async () => {
    const { text } = await scrape(textType);
    for (const family of [
      'syscalls_total',
      'syscall_errors_total',
      'network_io_bytes_total',
      'tcp_rtt_seconds',
    ])
      assert.match(text, new RegExp(`^# TYPE bpf_${family} `, 'm'));
    assert.equal(promtoolComplaints(text), '');
  });

  test('says the same in both formats, each series once', { skip: pythonClientMissing }, async () => {
    // The end of a connection is counted when the kernel comes to it, perhaps between the two scrapes.
    await eventually(async () => {
      const text = parse((await scrape(textType)).text);
      const openMetrics = parseOpenMetrics((await scrape('application/openmetrics-text')).text);
      for (const samples of [text, openMetrics])
        assert.equal(new Set(samples.map(identity)).size, samples.length, 'series');
      assert.ok(values(text).size > 100);
      assert.deepEqual(values(openMetrics), values(text));
      const created = openMetrics.filter(isCreated);
      assert.ok(
        created.length > 20 && created.every(({ value }) => value > started && value < Date.now() / 1000),
      );
      const counters = openMetrics.filter((sample) => sample.type === 'counter' && !isCreated(sample));
      assert.ok(counters.length > 20 && counters.every(({ name }) => name.endsWith('_total')));
    });
  });
});
