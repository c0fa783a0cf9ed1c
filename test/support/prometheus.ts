import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failure, watch } from '../../scripts/node/child.ts';
import { freePort } from '../../scripts/node/port.ts';
import { request } from './http.ts';

export interface Result {
  metric: Record<string, string>;
  value: [time: number, value: string];
}

export interface Exemplars {
  seriesLabels: Record<string, string>;
  exemplars: { labels: Record<string, string>; value: string; timestamp: number }[];
}

/** The job that scrapes sidecars as the ServiceMonitor of the chart has it done. */
export const sidecarJob = (target: string) => ({
  job_name: 'bpf-sidecar',
  honor_labels: true,
  static_configs: [{ targets: [target] }],
});

/** A Prometheus on loopback that scrapes every second. */
export async function startPrometheus(jobs: readonly object[], ...flags: string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'bpf-sidecar-test-'));
  const address = `127.0.0.1:${await freePort()}`;
  const file = join(directory, 'prometheus.yml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs: jobs }));
  // It dies with us, whatever way that is.
  const argv = ['--pdeathsig', 'KILL', 'prometheus', `--config.file=${file}`];
  const child = watch(
    spawn('setpriv', [
      ...argv,
      `--web.listen-address=${address}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      ...flags,
    ]),
  );
  async function get(path: string, parameters: Record<string, string>) {
    assert.equal(child.outcome(), undefined, failure('prometheus', child));
    const { text } = await request(`http://${address}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = JSON.parse(text);
    assert.equal(answer.status, 'success', text);
    return answer.data;
  }
  return {
    async query(query: string): Promise<Result[]> {
      return (await get('query', { query })).result;
    },
    /** The values of a label in what a selector selects. */
    labelValues: (label: string, selector: string): Promise<string[]> =>
      get(`label/${label}/values`, { 'match[]': selector }),
    /** Those of the last minute. */
    async exemplars(query: string): Promise<Exemplars[]> {
      const now = Date.now() / 1000;
      return get('query_exemplars', { query, start: String(now - 60), end: String(now + 60) });
    },
    async stop() {
      await child.terminate(10);
      rmSync(directory, { recursive: true });
    },
  };
}

export type Prometheus = Awaited<ReturnType<typeof startPrometheus>>;
