import { generateKeyPair, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import forge from 'node-forge';

/** A private key and the certificate for it, both PEM. */
export interface Credentials {
  key: string;
  cert: string;
}

export interface Authority {
  /** The CA's own certificate, PEM: what the webhook configuration calls `caBundle`. */
  certificate: string;
  /** Makes a key and a server certificate for DNS names and IP addresses, valid for `leafLifetime`. */
  issue(names: readonly string[]): Promise<Credentials>;
}

const hour = 60 * 60 * 1000;

/** In milliseconds. Short, because the key lives in memory and renewal costs nothing. */
export const leafLifetime = 24 * hour;

/** The CA is gone with its process, so it only has to outlive that. */
const authorityLifetime = 10 * 365 * 24 * hour;

/** Clocks of a cluster differ a little. */
const clockSkew = hour;

/**
 * Makes a certificate authority whose key never leaves the process (RFC 5280). RSA 2048 throughout: node-forge
 * cannot sign with ECDSA keys.
 */
export async function createAuthority(): Promise<Authority> {
  const keys = await generateKeys();
  // The serial number keeps apart the authorities of several replicas.
  const subject = [{ name: 'commonName', value: `bpf-sidecar webhook CA ${randomBytes(4).toString('hex')}` }];
  const certificate = newCertificate(keys.publicKey, subject, subject, authorityLifetime, [
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  const keyIdentifier = certificate.generateSubjectKeyIdentifier().getBytes();

  return {
    certificate: forge.pki.certificateToPem(certificate),
    async issue(names) {
      const leafKeys = await generateKeys();
      const leaf = newCertificate(
        leafKeys.publicKey,
        [{ name: 'commonName', value: 'bpf-sidecar webhook' }],
        subject,
        leafLifetime,
        [
          { name: 'basicConstraints', critical: true, cA: false },
          { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
          { name: 'extKeyUsage', serverAuth: true },
          { name: 'subjectAltName', altNames: names.map(alternativeName) },
          { name: 'subjectKeyIdentifier' },
          { name: 'authorityKeyIdentifier', keyIdentifier },
        ],
      );
      leaf.sign(keys.privateKey, forge.md.sha256.create());
      return { key: forge.pki.privateKeyToPem(leafKeys.privateKey), cert: forge.pki.certificateToPem(leaf) };
    },
  };
}

function newCertificate(
  publicKey: forge.pki.rsa.PublicKey,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  lifetime: number,
  extensions: object[],
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  const now = Date.now();
  certificate.publicKey = publicKey;
  // RFC 5280, 4.1.2.2: a positive integer of at most 20 octets.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(now - clockSkew);
  certificate.validity.notAfter = new Date(now + lifetime);
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
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const key = forge.pki.privateKeyFromPem(privateKey);
  return { privateKey: key, publicKey: forge.pki.setRsaPublicKey(key.n, key.e) };
}
