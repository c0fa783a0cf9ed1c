import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { ownFamilies } from '../../../sidecar/exposition/own.ts';
import { textFormat } from '../../../sidecar/exposition/text.ts';

test("the process's own metrics come out as prom-client writes them", async () => {
  const registry = new Registry();
  const registers = [registry];
  const scrapes = new Counter({
    name: 'bpf_sidecar_scrapes_total',
    help: 'Scrapes.',
    labelNames: ['code', 'path'],
    registers,
  });
  scrapes.inc({ code: '200', path: '/"metrics"\n' }, 3);
  new Gauge({ name: 'bpf_sidecar_probes', help: 'Probes.', registers }).set(-2.5);
  const duration = new Histogram({
    name: 'bpf_sidecar_scrape_duration_seconds',
    help: 'Duration.',
    labelNames: ['format'],
    buckets: [0.1, 0.5, 2],
    registers,
  });
  for (const seconds of [0.05, 0.1, 0.25, 3]) duration.observe({ format: 'text' }, seconds);
  duration.observe({ format: 'openmetrics' }, 1);

  const samples = (exposition: string) =>
    exposition
      .split('\n')
      .filter((line) => line !== '')
      // prom-client writes le as the first label.
      .map((line) => line.replace(/\{(le="[^"]*"),(.*)\}/, '{$2,$1}'));
  assert.deepEqual(
    samples(textFormat.render(await ownFamilies(registry), '').toString()),
    samples(await registry.metrics()),
  );
});
