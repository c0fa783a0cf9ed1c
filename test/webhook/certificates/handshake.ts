import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { readBundle } from '../../../webhook/certificates/pem.ts';
import { serverName } from './replica.ts';

/**
 * Shakes hands with a server as the API server would at `now`, and resolves to what that would find wrong. The clock of a
 * TLS client of Node cannot be moved, so the dates are checked here, and the rest for the certificate that was sent.
 */
export async function shakeHands(port: number, bundle: string, now: number): Promise<string | undefined> {
  const socket = connect({ port, host: '127.0.0.1', servername: serverName, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
  } catch (error) {
    return `handshake: ${(error as Error).message}`;
  }
  const leaf = socket.getPeerX509Certificate()!;
  socket.destroy();
  const issuer = readBundle(bundle)
    .map(({ cert }) => new X509Certificate(cert))
    .find((ca) => leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
  if (!issuer) return `not in the bundle: ${leaf.issuer}`;
  if (leaf.checkHost(serverName) === undefined) return `not for ${serverName}`;
  const late = [leaf, issuer].find(
    ({ validFrom, validTo }) => now < Date.parse(validFrom) || now >= Date.parse(validTo),
  );
  return late && `not valid then: ${late.subject}, ${late.validFrom} to ${late.validTo}`;
}

/** The same by the `openssl` command, whose clock can be moved: resolves to the word of its verification. */
export function verifyByOpenssl(port: number, bundleFile: string, now: number): Promise<string> {
  const options = `-verify_return_error -verify_hostname ${serverName} -servername ${serverName} -CAfile ${bundleFile}`;
  const { promise, resolve } = Promise.withResolvers<string>();
  const child = execFile(
    'openssl',
    [
      's_client',
      '-connect',
      `127.0.0.1:${port}`,
      '-attime',
      `${Math.floor(now / 1000)}`,
      ...options.split(' '),
    ],
    (_error, stdout, stderr) => resolve(/Verify return code: .*/.exec(stdout)?.[0] ?? stderr),
  );
  child.stdin!.end();
  return promise;
}
