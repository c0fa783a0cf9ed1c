import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SigningCertificate } from '../../../webhook/certificates/authority.ts';
import {
  type Authorities,
  nextStep,
  type Situation,
  type Step,
  takeStep,
  trusted,
} from '../../../webhook/certificates/rotation.ts';
import { clockSkew, schedule } from '../../../webhook/certificates/schedule.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const start = Date.parse('2026-01-01T00:00:00Z');

/** What matters of a CA here: its name and its dates. */
const authority = (name: string, made: number): SigningCertificate => ({
  cert: name,
  key: `key of ${name}`,
  notBefore: made - clockSkew,
  notAfter: made + schedule.authorityLifetime,
});

const situation = (kept: Authorities | undefined, now: number, rest: Partial<Situation> = {}): Situation => ({
  kept,
  remembered: kept,
  publishedSince: undefined,
  now,
  schedule,
  ...rest,
});

const a = authority('a', start);
const b = authority('b', start + 250 * day);

const never = (): Promise<SigningCertificate> => assert.fail('no CA was to be made');

test('three years of a CA that is published at once: what is done, and when', async () => {
  const done: [Step, number][] = [];
  let kept: Authorities | undefined;
  let publishedSince: { bundle: string; since: number } | undefined;
  let made = 0;
  for (let now = start; now < start + 3 * 365 * day; now += minute) {
    const bundle = kept && `${trusted(kept).map(({ cert }) => cert)}`;
    if (bundle !== undefined && publishedSince?.bundle !== bundle) publishedSince = { bundle, since: now };
    const state = situation(kept, now, { publishedSince: publishedSince?.since });
    const step = nextStep(state);
    if (!step) continue;
    done.push([step, now]);
    kept = await takeStep(step, state, async () => authority(`${++made}`, now));
  }

  const days = (time: number) => Math.round((time - start) / day);
  assert.deepEqual(
    done.map(([step, at]) => `${days(at)} ${step}`),
    [
      '0 make-first',
      '243 make-next',
      '243 promote',
      '244 drop-previous',
      '487 make-next',
      '487 promote',
      '488 drop-previous',
      '730 make-next',
      '730 promote',
      '731 drop-previous',
      '973 make-next',
      '973 promote',
      '974 drop-previous',
    ],
  );
  const between = (from: number, to: number) => done[to]![1] - done[from]![1];
  assert.equal(between(1, 2), 11 * minute, 'seen in the bundle a minute later, and then for ten minutes');
  assert.equal(between(2, 3), 25 * hour, 'what it had signed last has expired');
});

test('the one that signs changes only when both have been in every bundle long enough', () => {
  const kept = { current: a, next: b };
  const now = start + 250 * day;
  const ready = (publishedSince: number | undefined, previous = false) =>
    nextStep(
      situation(previous ? { ...kept, previous: { ...a, until: now + 1 } } : kept, now, { publishedSince }),
    );
  assert.equal(ready(undefined), undefined);
  assert.equal(ready(now - 10 * minute + 1), undefined);
  assert.equal(ready(now - 10 * minute), 'promote');
  assert.equal(ready(now - 10 * minute, true), undefined, 'one is still being phased out');
});

test('a CA that nobody could publish signs all the same when the current one ends', () => {
  const kept = { current: a, next: b };
  assert.equal(nextStep(situation(kept, a.notAfter - day - 1)), undefined);
  assert.equal(nextStep(situation(kept, a.notAfter - day)), 'promote');
  assert.equal(nextStep(situation(kept, a.notAfter + day)), 'promote');
});

test('when all replicas were away until the CA had expired, there is a first one again', async () => {
  const state = situation({ current: a }, a.notAfter);
  assert.equal(nextStep(state), 'make-first');
  assert.deepEqual(await takeStep('make-first', state, async () => b), { current: b });
});

test('CAs that are removed come back with one that follows, where a replica remembers them', async () => {
  const now = start + day;
  const state = situation(undefined, now, { remembered: { current: a } });
  assert.equal(nextStep(state), 'restore');
  assert.deepEqual(await takeStep('restore', state, async () => b), { current: a, next: b });
  const following = situation(undefined, now, { remembered: { current: a, next: b } });
  assert.deepEqual(await takeStep('restore', following, never), { current: a, next: b });
  assert.equal(nextStep({ ...state, now: a.notAfter }), 'make-first', 'not one that has expired');
  assert.equal(nextStep({ ...state, remembered: undefined }), 'make-first');
});

test('the key of a CA that signs no more is not kept', async () => {
  const now = start + 250 * day;
  const { previous, current } = await takeStep('promote', situation({ current: a, next: b }, now), never);
  assert.deepEqual(previous, {
    cert: 'a',
    notBefore: a.notBefore,
    notAfter: a.notAfter,
    until: now + 25 * hour,
  });
  assert.equal(current, b);
});

test('API servers have to trust all of them, oldest first', () => {
  const { key: _, ...old } = a;
  const authorities = { next: authority('c', start), current: b, previous: { ...old, until: 0 } };
  assert.deepEqual(
    trusted(authorities).map(({ cert }) => cert),
    ['a', 'b', 'c'],
  );
});
