import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { failure, watch } from '../../scripts/node/child.ts';
import { eventually } from '../support/eventually.ts';
import { prometheusMissing } from '../support/exposition.ts';
import { request } from '../support/http.ts';
import { type ObservedPod, output, startObservedPod } from '../support/pod.ts';
import { freePort } from '../support/port.ts';
import { writing } from '../support/work.ts';

const writes = 12_345;

interface Result {
  metric: Record<string, string>;
  value: [time: number, value: string];
}

/** A Prometheus on loopback that scrapes one target every second, as the ServiceMonitor of the chart has it do. */
async function startPrometheus(target: string) {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  const address = `127.0.0.1:${await freePort()}`;
  const config = {
    global: { scrape_interval: '1s' },
    scrape_configs: [
      { job_name: 'bpf-sidecar', honor_labels: true, static_configs: [{ targets: [target] }] },
    ],
  };
  const file = join(directory, 'prometheus.yml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  // It dies with us, whatever way that is.
  const argv = ['--pdeathsig', 'KILL', 'prometheus', `--config.file=${file}`];
  const child = watch(
    spawn('setpriv', [
      ...argv,
      `--web.listen-address=${address}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
    ]),
  );
  return {
    async query(promql: string): Promise<Result[]> {
      assert.equal(child.outcome(), undefined, failure('prometheus', child));
      const url = `http://${address}/api/v1/query?query=${encodeURIComponent(promql)}`;
      const { text } = await request(url);
      const answer = JSON.parse(text);
      assert.equal(answer.status, 'success', text);
      return answer.data.result;
    },
    async stop() {
      await child.terminate(10);
      rmSync(directory, { recursive: true });
    },
  };
}

describe('Prometheus', { skip: prometheusMissing }, () => {
  let pod: ObservedPod;
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
  before(async () => {
    pod = await startObservedPod({ probes: 'syscalls', namespace: 'shop', pod: 'cart-7d', node: 'node-7' });
    prometheus = await startPrometheus(new URL(pod.url('/')).host);
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
