import { generateKeyPair, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import forge from 'node-forge';
import { type Certificate, type Credentials, dated, readPair } from './pem.ts';
import { clockSkew, schedule } from './schedule.ts';

/** The certificate of a CA and the key that it signs with: what is kept of a CA. */
export interface SigningCertificate extends Certificate {
  key: string;
}

export interface Authority {
  /** The CA's own certificate, PEM: what the webhook configuration calls `caBundle`. */
  certificate: string;
  notAfter: number;
  /** Makes a key and a server certificate for DNS names and IP addresses. It does not outlive the CA. */
  issue(names: readonly string[], lifetime?: number): Promise<Credentials>;
}

/** In milliseconds: a CA that is gone with its process only has to outlive that. */
const processLifetime = 10 * 365 * 24 * 3_600_000;

/** Makes a CA whose key never leaves the process. */
export async function createAuthority(now = Date.now): Promise<Authority> {
  return openAuthority(await makeAuthority(now(), processLifetime), now);
}

/**
 * Makes the certificate and the key of a CA (RFC 5280). RSA 2048 throughout: node-forge cannot sign with ECDSA keys.
 */
export async function makeAuthority(now: number, lifetime: number): Promise<SigningCertificate> {
  const keys = await generateKeys();
  // The number keeps apart the authorities that follow each other.
  const subject = [{ name: 'commonName', value: `bpf-sidecar webhook CA ${randomBytes(4).toString('hex')}` }];
  const certificate = newCertificate(keys.publicKey, subject, subject, now, now + lifetime, [
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  return readAuthority({ cert: forge.pki.certificateToPem(certificate), key: keys.pem });
}

/** Reads what was kept of a CA. Throws an Error that tells why it cannot be one. */
export function readAuthority(credentials: Credentials): SigningCertificate {
  const { certificate, key } = readPair(credentials);
  if (!certificate.ca) throw new Error('the certificate is not that of a CA');
  if (key.asymmetricKeyType !== 'rsa') throw new Error('the key is not an RSA key');
  return { ...dated(certificate), key: credentials.key };
}

export function openAuthority({ cert, key, notAfter }: SigningCertificate, now = Date.now): Authority {
  const certificate = forge.pki.certificateFromPem(cert);
  const signingKey = forge.pki.privateKeyFromPem(key);
  const keyIdentifier = certificate.generateSubjectKeyIdentifier().getBytes();
  return {
    certificate: cert,
    notAfter,
    async issue(names, lifetime = schedule.leafLifetime) {
      const keys = await generateKeys();
      const leaf = newCertificate(
        keys.publicKey,
        [{ name: 'commonName', value: 'bpf-sidecar webhook' }],
        certificate.subject.attributes,
        now(),
        Math.min(now() + lifetime, notAfter),
        [
          { name: 'basicConstraints', critical: true, cA: false },
          { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
          { name: 'extKeyUsage', serverAuth: true },
          { name: 'subjectAltName', altNames: names.map(alternativeName) },
          { name: 'subjectKeyIdentifier' },
          { name: 'authorityKeyIdentifier', keyIdentifier },
        ],
      );
      leaf.sign(signingKey, forge.md.sha256.create());
      return { key: keys.pem, cert: forge.pki.certificateToPem(leaf) };
    },
  };
}

function newCertificate(
  publicKey: forge.pki.rsa.PublicKey,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  now: number,
  notAfter: number,
  extensions: object[],
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  // RFC 5280, 4.1.2.2: a positive integer of at most 20 octets.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(now - clockSkew);
  certificate.validity.notAfter = new Date(notAfter);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  certificate.setExtensions(extensions);
  return certificate;
}

function alternativeName(name: string): object {
  return isIP(name) ? { type: 7, ip: name } : { type: 2, value: name };
}

/** By OpenSSL, off the event loop: node-forge's own generator is slow. */
async function generateKeys() {
  const { privateKey: pem } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const privateKey = forge.pki.privateKeyFromPem(pem);
  return { pem, privateKey, publicKey: forge.pki.setRsaPublicKey(privateKey.n, privateKey.e) };
}
