import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excerpt } from '../../../scripts/demo/scrape.ts';

test('an excerpt is the head of a family and its greatest sample', () => {
  const text =
    '# HELP a_total Help.\n# TYPE a_total counter\na_total{x="1"} 9\na_total{x="2"} 10\na_total_b{x="3"} 11\n';
  assert.deepEqual(excerpt(text, 'a_total'), [
    '# HELP a_total Help.',
    '# TYPE a_total counter',
    'a_total{x="2"} 10',
  ]);
});
