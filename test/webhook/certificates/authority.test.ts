import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import forge from 'node-forge';
import { createAuthority } from '../../../webhook/certificates/authority.ts';
import { schedule } from '../../../webhook/certificates/schedule.ts';

const { leafLifetime } = schedule;
const authority = await createAuthority();
const names = ['bpf-sidecar.kube-system.svc', 'localhost', '127.0.0.1', '::1'];
const credentials = await authority.issue(names);

test('the CA is constrained to signing certificates', () => {
  const ca = new X509Certificate(authority.certificate);
  assert.ok(ca.ca);
  assert.ok(ca.verify(ca.publicKey));
  const parsed = forge.pki.certificateFromPem(authority.certificate);
  assert.partialDeepStrictEqual(parsed.getExtension('basicConstraints'), {
    critical: true,
    pathLenConstraint: 0,
  });
  assert.partialDeepStrictEqual(parsed.getExtension('keyUsage'), {
    critical: true,
    keyCertSign: true,
    keyEncipherment: false,
    digitalSignature: false,
  });
});

test('a leaf is signed by the CA for exactly the names asked for', () => {
  const ca = new X509Certificate(authority.certificate);
  const leaf = new X509Certificate(credentials.cert);
  assert.ok(leaf.checkIssued(ca));
  assert.ok(leaf.verify(ca.publicKey));
  assert.equal(leaf.ca, false);
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'TLS server authentication and nothing else');
  assert.ok(leaf.checkHost('bpf-sidecar.kube-system.svc'));
  assert.ok(leaf.checkIP('127.0.0.1'));
  assert.ok(leaf.checkIP('::1'));
  assert.equal(leaf.checkHost('other.kube-system.svc'), undefined);
  const life = Date.parse(leaf.validTo) - Date.now();
  assert.ok(life > 0 && life <= leafLifetime);
});

test('authorities and leaves of several replicas can be told apart', async () => {
  const other = await createAuthority();
  const subjects = [authority, other].map(({ certificate }) => new X509Certificate(certificate).subject);
  assert.notEqual(subjects[0], subjects[1]);
  const again = await authority.issue(names);
  const serials = [credentials, again].map(({ cert }) => new X509Certificate(cert).serialNumber);
  assert.notEqual(serials[0], serials[1]);
});
