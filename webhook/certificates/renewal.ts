import type { Server } from 'node:tls';
import type { Credentials } from './pem.ts';
import { renewalTime, schedule } from './schedule.ts';

/**
 * Renews the certificate of `server` after two thirds of its life, again and again, until the returned function
 * is called. Connections stay open; new ones get the new certificate.
 */
export function renewCertificate(
  server: Pick<Server, 'setSecureContext'>,
  issue: () => Promise<Credentials>,
  renewed: () => void,
): () => void {
  const timer = setInterval(
    async () => {
      server.setSecureContext(await issue());
      renewed();
    },
    renewalTime(0, schedule.leafLifetime),
  );
  return () => clearInterval(timer);
}
