import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { lasting, placeOf } from '../../scripts/node/place.ts';
import { createSandbox } from '../../scripts/node/sandbox.ts';
import { openMetricsFormat } from '../../sidecar/exposition/openmetrics.ts';
import { cgroupId } from '../../sidecar/pod/cgroups.ts';
import { closeServer, createHttpServer, listen } from '../../sidecar/server.ts';
import { startAuthored } from '../support/author.ts';
import { eventually } from '../support/eventually.ts';
import { writeSizes, writeSizesSpec } from '../support/exemplars.ts';
import { prometheusMissing } from '../support/exposition.ts';
import { type ObservedPod, output, startObservedPod } from '../support/pod.ts';
import { type Prometheus, sidecarJob, startPrometheus } from '../support/prometheus.ts';
import { writing } from '../support/work.ts';

const writes = 12_345;

describe('Prometheus', { skip: prometheusMissing }, () => {
  let pod: ObservedPod;
  let prometheus: Prometheus;
  before(async () => {
    pod = await startObservedPod({ probes: 'syscalls', namespace: 'shop', pod: 'cart-7d', node: 'node-7' });
    prometheus = await startPrometheus([sidecarJob(new URL(pod.url('/')).host)]);
  });
  after(async () => {
    await prometheus.stop();
    await pod.stop();
  });

  test('answers a query with the exact count, under the labels of the pod', async () => {
    const web = pod.addContainer('web');
    await output(web, ...writing(writes));
    const expected = {
      __name__: 'bpf_syscalls_total',
      namespace: 'shop',
      pod: 'cart-7d',
      container: 'web',
      node: 'node-7',
      syscall: 'write',
      job: 'bpf-sidecar',
      instance: new URL(pod.url('/')).host,
    };
    await eventually(async () => {
      const [series, ...others] = await prometheus.query('bpf_syscalls_total{syscall="write"}');
      assert.deepEqual(others, []);
      assert.deepEqual(series?.metric, expected);
      assert.equal(series.value[1], String(writes));
    });
  });

  test('finds the target up', async () => {
    const [up] = await prometheus.query('up');
    assert.equal(up?.value[1], '1');
  });

  test('computes a quantile of a duration', async () => {
    const buckets = 'bpf_syscall_duration_seconds_bucket{container="web",syscall="write"}';
    const [quantile] = await prometheus.query(`histogram_quantile(0.99, ${buckets})`);
    const seconds = Number(quantile?.value[1]);
    assert.ok(seconds > 0 && seconds < 16.8, `${seconds} s`);
  });
});

describe('Prometheus with exemplar storage', { skip: prometheusMissing }, () => {
  test('returns the last event of a bucket, with who it was', async (t) => {
    const sandbox = await createSandbox();
    t.after(() => sandbox.destroy());
    const web = sandbox.addContainer('web');
    const place = placeOf(sandbox, sandbox.addContainer('bpf-sidecar'));
    const probe = await startAuthored(writeSizes, place, writeSizesSpec, {
      containerName: (id) => (id === cgroupId(web.cgroup) ? 'web' : ''),
      ...lasting,
      wantsContainer: () => true,
      generation: () => 0,
    });
    t.after(() => probe.close());
    const { contentType, render } = openMetricsFormat;
    const metrics = () => ({ status: 200, contentType, body: render(probe.read(), 'pod="cart-7d"') });
    const server = createHttpServer({ '/metrics': metrics }, assert.ifError);
    t.after(() => closeServer(server));
    const target = `127.0.0.1:${await listen(server, 0)}`;
    const prometheus = await startPrometheus([sidecarJob(target)], '--enable-feature=exemplar-storage');
    t.after(() => prometheus.stop());

    const began = Date.now() / 1000;
    await output(web, 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=3', 'count=1', 'status=none');
    await eventually(async () => {
      const [found, ...others] = await prometheus.exemplars('bpf_write_half_bytes_bucket');
      assert.deepEqual(others, []);
      const { container, pod, le, __name__ } = found?.seriesLabels ?? {};
      assert.deepEqual(
        [__name__, pod, container, le],
        ['bpf_write_half_bytes_bucket', 'cart-7d', 'web', '2.0'],
      );
      assert.equal(found?.exemplars.length, 1);
      const { labels, value, timestamp } = found.exemplars[0]!;
      assert.deepEqual([labels.comm, value], ['dd', '1.5']);
      assert.match(labels.pid ?? '', /^\d+$/);
      assert.ok(timestamp > began - 1 && timestamp < Date.now() / 1000 + 1, `${timestamp}`);
    });
    // Scraped several times more, the one event stays one exemplar.
    const scraped = async () => Number((await prometheus.query('count_over_time(up[1m])'))[0]?.value[1]);
    const before = await scraped();
    await eventually(async () => assert.ok((await scraped()) >= before + 2));
    const [found] = await prometheus.exemplars('bpf_write_half_bytes_bucket');
    assert.equal(found?.exemplars.length, 1);
  });
});
