import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** A private key and the certificate for it, both PEM. */
export interface Credentials {
  key: string;
  cert: string;
}

/** A certificate as PEM, always written the same way, and when it is valid, in milliseconds since the epoch. */
export interface Certificate {
  cert: string;
  notBefore: number;
  notAfter: number;
}

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a bundle; what is no certificate is left out, as the API server does. */
export function readBundle(pem: string): Certificate[] {
  return (pem.match(block) ?? []).flatMap((text) => {
    try {
      return [dated(new X509Certificate(text))];
    } catch {
      return [];
    }
  });
}

/** Reads a pair, of which the first certificate is the one for the key. Throws an Error that tells what does not fit. */
export function readPair({ cert, key }: Credentials): { certificate: X509Certificate; key: KeyObject } {
  const certificate = attempt(() => new X509Certificate(cert), 'the certificate cannot be read as PEM');
  const privateKey = attempt(() => createPrivateKey(key), 'the key cannot be read as PEM without a password');
  if (!certificate.checkPrivateKey(privateKey)) throw new Error('the key does not fit the certificate');
  return { certificate, key: privateKey };
}

export function dated(certificate: X509Certificate): Certificate {
  return {
    cert: certificate.toString(),
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
  };
}

function attempt<T>(read: () => T, problem: string): T {
  try {
    return read();
  } catch {
    throw new Error(problem);
  }
}
