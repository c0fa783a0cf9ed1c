import assert from 'node:assert/strict';
import { test } from 'node:test';
import { family, histogram, historyOf } from './readings.ts';

const calls = (samples: Record<string, number>) => family('calls_total', 'counter', samples);
const web = (call: string) => `container="web",call="${call}"`;

test('a counter is its rate by container, over all series, from the second scrape on', () => {
  const { times, courses } = historyOf(
    calls({ [web('read')]: 100, [web('write')]: 5, 'container="client",call="read"': 1 }),
    calls({ [web('read')]: 150, [web('write')]: 15, 'container="client",call="read"': 1 }),
    calls({ [web('read')]: 150, [web('write')]: 15, 'container="client",call="read"': 1, [web('open')]: 40 }),
  );
  assert.deepEqual(times, [1000, 1010, 1020]);
  // What was not there before has counted from zero.
  assert.deepEqual(Object.fromEntries(courses.get('calls_total')!.lines), {
    web: [null, 6, 4],
    client: [null, 0, 0],
  });
});

test('a counter that begins anew has no negative rate', () => {
  const { courses } = historyOf(
    calls({ [web('read')]: 1000, [web('write')]: 10 }),
    calls({ [web('read')]: 30, [web('write')]: 20 }),
    histogram('t_seconds', { 'container="web"': [50, 60, 70] }),
    histogram('t_seconds', { 'container="web"': [10, 10, 20] }),
  );
  assert.deepEqual(courses.get('calls_total')!.lines.get('web'), [null, 4, null, null]);
  assert.deepEqual(courses.get('t_seconds')!.columns.get('web'), [null, null, [5, 1, 1], [1, 0, 1]]);
});

test('after a break a line has a gap, and the next scrape is compared with none before it', () => {
  const { times, courses, earlier } = historyOf(
    calls({ [web('read')]: 10 }),
    calls({ [web('read')]: 20 }),
    null,
    calls({ [web('read')]: 500 }),
    calls({ [web('read')]: 520 }),
  );
  assert.equal(times.length, 5);
  assert.deepEqual(courses.get('calls_total')!.lines.get('web'), [null, 1, null, null, 2]);
  assert.equal(earlier!.at, 1030);
});

test('a gauge of few series has a line for each, one of many a line for each container', () => {
  const few = family('used_bytes', 'gauge', { 'container="web",type="anon",pod="x"': 5, 'type="file"': 7 });
  assert.deepEqual(Object.fromEntries(historyOf(few).courses.get('used_bytes')!.lines), {
    'web type=anon': [5],
    'pod type=file': [7],
  });
  const many = Array.from({ length: 20 }, (_, index) => [`container="web",type="${index}"`, 2]);
  const { courses } = historyOf(family('used_bytes', 'gauge', Object.fromEntries(many)));
  assert.deepEqual(Object.fromEntries(courses.get('used_bytes')!.lines), { web: [40] });
});

test('a hundred points are kept, of families that are gone none', () => {
  const texts = Array.from({ length: 250 }, (_, index) =>
    index < 100 ? calls({ [web('read')]: index }) : family('other_total', 'counter', { 'a="b"': index }),
  );
  const { times, courses } = historyOf(...texts);
  assert.equal(times.length, 100);
  assert.deepEqual([...courses.keys()], ['other_total']);
  assert.equal(courses.get('other_total')!.lines.get('pod')!.length, 100);
});

test('tables are of about a minute', () => {
  const { latest, earlier } = historyOf(...Array.from({ length: 60 }, (_, i) => calls({ [web('read')]: i })));
  const seconds = latest!.at - earlier!.at;
  assert.ok(seconds >= 60 && seconds < 90, String(seconds));
});
