import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textFormat } from '../../../sidecar/exposition/text.ts';
import { createReader } from '../../../sidecar/page/scrape.ts';
import { renderLabels } from '../../../sidecar/series/labels.ts';

test('what the sidecar writes is read as it was meant, whatever is in a label', () => {
  const hostile = '<img src=x onerror=alert(1)>"} 5 \\ \n {le="2"}';
  const text = textFormat
    .render(
      [
        {
          type: 'counter',
          name: 'bpf_queries_total',
          help: 'Queries.',
          series: [
            { labels: renderLabels([['domain', hostile]]), value: 7 },
            { labels: '', value: 1.5 },
          ],
        },
        {
          type: 'histogram',
          name: 'bpf_time_seconds',
          help: 'Time, in two\nlines.',
          bounds: [0.5, 2],
          series: [{ labels: renderLabels([['container', 'web']]), counts: [1, 0, 4], sum: 12.5 }],
        },
        {
          type: 'gauge',
          name: 'bpf_time_seconds_count_of_other',
          help: '',
          series: [{ labels: '', value: Infinity }],
        },
      ],
      renderLabels([['pod', 'shop']]),
    )
    .toString();
  const scrape = createReader()(text);
  const queries = scrape.get('bpf_queries_total')!;
  assert.deepEqual([queries.type, queries.help], ['counter', 'Queries.']);
  assert.deepEqual(
    [...queries.series.values()].map(({ labels, value }) => ({ labels, value })),
    [
      { labels: { pod: 'shop', domain: hostile }, value: 7 },
      { labels: { pod: 'shop' }, value: 1.5 },
    ],
  );
  const time = scrape.get('bpf_time_seconds')!;
  assert.deepEqual([time.help, time.bounds], ['Time, in two\nlines.', [0.5, 2, Infinity]]);
  assert.deepEqual(
    [...time.series.values()],
    [{ labels: { pod: 'shop', container: 'web' }, value: 5, buckets: [1, 1, 5], sum: 12.5 }],
  );
  assert.equal([...scrape.get('bpf_time_seconds_count_of_other')!.series.values()][0]!.value, Infinity);
  assert.equal(scrape.size, 3);
});

test('a second scrape has its own numbers, and what is no metrics is named', () => {
  const read = createReader();
  const value = (text: string) =>
    [...read(text).get('a_total')!.series.values()].map((series) => series.value);
  assert.deepEqual(value('# TYPE a_total counter\na_total{x="1"} 1\na_total{x="2"} 2\n'), [1, 2]);
  assert.deepEqual(value('# TYPE a_total counter\na_total{x="2"} 5\na_total{x="3"} 1\n'), [5, 1]);
  assert.throws(
    () => read('<html>no metrics</html>\n'),
    /^Error: a line of \/metrics is no sample: <html>no metrics/,
  );
  assert.equal(read('').size, 0);
});
