import type { Server } from 'node:tls';
import { type Credentials, leafLifetime } from './authority.ts';

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
    (leafLifetime * 2) / 3,
  );
  return () => clearInterval(timer);
}
