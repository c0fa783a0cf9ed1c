import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { makeAuthority, openAuthority } from '../../../webhook/certificates/authority.ts';
import { readSecret, type SecretData, writeSecret } from '../../../webhook/certificates/secret.ts';

const year = 365 * 24 * 3_600_000;
const [a, b] = await Promise.all([makeAuthority(Date.now(), year), makeAuthority(Date.now(), year)]);
const { key: _, ...previous } = await makeAuthority(Date.now(), year);
const authorities = { previous: { ...previous, until: Date.now() }, current: a, next: b };
const data = writeSecret(authorities);

test('what is written is read again', () => {
  assert.deepEqual(readSecret(data), { authorities });
  assert.deepEqual(readSecret(writeSecret({ current: a })), { authorities: { current: a } });
  assert.deepEqual(readSecret({}), {});
});

test('a Secret with keys of others is not ours', () => {
  for (const other of [{ password: 'x' }, { ...data, 'tls.key': 'x' }])
    assert.deepEqual(readSecret(other), {
      foreign: true,
      problem: `${Object.keys(other).at(-1)} is none of its keys`,
    });
});

test('a current CA that cannot sign counts as none, with what is wrong', async () => {
  const leaf = await openAuthority(a).issue(['localhost']);
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const pkcs8 = ec.export({ type: 'pkcs8', format: 'pem' }) as string;
  const cases: [SecretData, string][] = [
    [{ 'next.crt': b.cert, 'next.key': b.key }, 'the certificate cannot be read as PEM'],
    [{ 'current.crt': a.cert }, 'the key cannot be read as PEM without a password'],
    [{ 'current.crt': a.cert.slice(0, 300), 'current.key': a.key }, 'the certificate cannot be read as PEM'],
    [{ 'current.crt': a.cert, 'current.key': b.key }, 'the key does not fit the certificate'],
    [{ 'current.crt': a.cert, 'current.key': pkcs8 }, 'the key does not fit the certificate'],
    [{ 'current.crt': leaf.cert, 'current.key': leaf.key }, 'the certificate is not that of a CA'],
  ];
  for (const [broken, problem] of cases)
    assert.deepEqual(readSecret(broken), { problem: `current: ${problem}` }, problem);
});

test('a next or previous CA that is broken is left out, and the current one signs on', () => {
  const broken = { ...data, 'next.key': a.key, 'previous.until': 'soon' };
  assert.deepEqual(readSecret(broken), {
    authorities: { current: a },
    problem: 'next: the key does not fit the certificate; previous: previous.until is no time as in RFC 3339',
  });
});
