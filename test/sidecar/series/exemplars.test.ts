import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistogramMetric, Labelled } from '../../../sidecar/contract/metric-spec.ts';
import type { Field } from '../../../sidecar/libbpf/btf.ts';
import { createBounds } from '../../../sidecar/series/bounds.ts';
import { createExemplarAdder } from '../../../sidecar/series/exemplars.ts';
import type { HistogramSeries } from '../../../sidecar/series/family.ts';
import { mapEntries, u64 } from './entries.ts';

const metric: Labelled<HistogramMetric> = {
  type: 'histogram',
  name: 'bpf_wait_seconds',
  help: '',
  map: 'waits',
  exemplars: 'last',
  labels: [{ name: 'queue', size: 8, padding: 0, decoders: [{ name: 'uint' }] }],
  buckets: { type: 'fixed', keys: [10, 20], multiplier: 0.1 },
};
const bounds = [1, 2];
const context = { containerName: String, wantsContainer: () => true, generation: () => 0 };
const number = (name: string, offset: number): Field => ({ name, offset, size: 8, kind: 'unsigned' });
const text = (name: string, offset: number, size: number): Field => ({ name, offset, size, kind: 'text' });
const fields = [number('value', 0), number('time', 8), text('path', 16, 128), text('comm', 144, 8)];
const layout = { keySize: 16, valueSize: 152, fields: () => fields };

const event = (queue: number, bucket: number, value: number, time: number, path: string, comm = '') =>
  [
    u64(queue, bucket),
    Buffer.concat([u64(value, time), Buffer.alloc(136)])
      .fill(path, 16, 16 + path.length)
      .fill(comm, 144, 144 + comm.length),
  ] satisfies [Buffer, Buffer];

function add(...events: [Buffer, Buffer][]) {
  const { losses } = createBounds();
  const series: HistogramSeries = { labels: 'queue="1"', counts: [0, 0, 0], sum: 0 };
  const find = (keys: Buffer, start: number) => (keys.readBigUInt64LE(start) === 1n ? series : undefined);
  createExemplarAdder(metric, layout, bounds, context, losses)(mapEntries(events, 16, 152), find);
  return {
    losses,
    exemplars: series.exemplars?.map((exemplar) => exemplar && [exemplar.labels, exemplar.value]),
  };
}

test('an exemplar is in the bucket of its value, bounds included; the newest of several', () => {
  const { exemplars } = add(
    event(1, 0, 10, 5, 'at the bound'),
    event(1, 7, 11, 9e9, 'newer', 'dd'),
    event(1, 1, 12, 8e9, 'older'),
    event(1, 2, 21, 1, ''),
    event(2, 0, 1, 5, 'of no series'),
    event(1, 3, 1, 0, 'not written yet'),
  );
  assert.deepEqual(exemplars, [
    ['path="at the bound"', 1],
    ['path="newer",comm="dd"', 1.1],
    ['', 2.1],
  ]);
});

test('labels that are more than 128 characters together are left out and counted', () => {
  const { exemplars, losses } = add(
    event(1, 0, 1, 1, 'x'.repeat(120), 'dd'),
    event(1, 1, 11, 1, 'y'.repeat(125), 'dd'),
  );
  assert.deepEqual(exemplars, [
    [`path="${'x'.repeat(120)}"`, 0.1],
    ['comm="dd"', 1.1],
  ]);
  assert.equal(losses.exemplarLabels, 2);
});

test('a key that does not begin with the labels is refused', () => {
  assert.throws(
    () => createExemplarAdder(metric, { ...layout, keySize: 4 }, bounds, context, createBounds().losses),
    {
      message:
        'metric bpf_wait_seconds: map "last" of its exemplars has a key of 4 bytes, which must begin with the 8 bytes of the labels',
    },
  );
});
