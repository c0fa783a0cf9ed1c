import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeAuthority } from '../../../webhook/certificates/authority.ts';
import { mergeBundle } from '../../../webhook/certificates/bundle.ts';
import { schedule } from '../../../webhook/certificates/schedule.ts';

const hour = 3_600_000;
const day = 24 * hour;
const start = Date.parse('2026-01-01T00:00:00Z');
const make = (days: number) => makeAuthority(start + days * day, schedule.authorityLifetime);
const [a, b, c] = [await make(0), await make(100), await make(200)];
const at = (days: number) => start + days * day;
const previous = { ...a, until: at(102) };

test('the bundle has all CAs that may be in use, oldest first', () => {
  const bundle = a.cert + b.cert + c.cert;
  assert.equal(mergeBundle('', { previous, current: b, next: c }, at(201), schedule), bundle);
  assert.equal(
    mergeBundle('', { current: c, next: a, previous: { ...b, until: 0 } }, at(201), schedule),
    bundle,
  );
});

test('nothing is written when all that is needed is there, in whatever form', () => {
  const authorities = { current: a, next: b };
  const forms = [
    a.cert + b.cert,
    b.cert + a.cert,
    `# by hand\n${a.cert.replaceAll('\n', '\r\n')}\n\n${b.cert}`,
  ];
  for (const found of forms) assert.equal(mergeBundle(found, authorities, at(101), schedule), undefined);
});

test('what is no certificate is replaced', () => {
  const garbage = '-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n';
  for (const found of ['\n', 'hello', garbage])
    assert.equal(mergeBundle(found, { current: a }, at(1), schedule), a.cert);
});

test('a newer CA that another replica has published stays, though this one does not know it yet', () => {
  const stale = { current: a };
  assert.equal(mergeBundle(a.cert + b.cert, stale, at(101), schedule), undefined);
  assert.equal(mergeBundle(b.cert, stale, at(101), schedule), a.cert + b.cert);
});

test('an older CA goes when all that it has signed has expired, and not before', () => {
  const authorities = { current: b };
  const found = a.cert + b.cert;
  const made = at(100);
  assert.equal(mergeBundle(found, authorities, made + 25 * hour - 1, schedule), undefined);
  assert.equal(mergeBundle(a.cert, authorities, made + 1 * hour, schedule), found);
  assert.equal(mergeBundle(found, authorities, made + 25 * hour, schedule), b.cert);
});

test('a CA that has expired goes', () => {
  const authorities = { current: c };
  assert.equal(mergeBundle(a.cert + b.cert + c.cert, authorities, at(366), schedule), c.cert);
  assert.equal(mergeBundle(a.cert + c.cert, { current: a, next: c }, at(366), schedule), c.cert);
});
