import { type Certificate, readBundle } from './pem.ts';
import { type Authorities, trusted } from './rotation.ts';
import { madeAt, type Schedule } from './schedule.ts';

/**
 * The bundle, PEM, that should be where `found` is; undefined when that is good as it is. It has all CAs that may be in
 * use, oldest first, and keeps those that this replica does not know while they may be of use:
 * - newer ones, which another replica has made since this one read the Secret: so replicas never fight;
 * - older ones, until what they signed before ours came has expired: those of a Secret that was deleted, or of whoever
 *   kept the bundle before.
 */
export function mergeBundle(
  found: string,
  authorities: Authorities,
  now: number,
  { retention }: Schedule,
): string | undefined {
  const needed = trusted(authorities).filter(({ notAfter }) => notAfter > now);
  const newest = Math.max(...needed.map(({ notBefore }) => notBefore));
  const settled = now >= madeAt(authorities.current) + retention;

  const there = readBundle(found);
  const has = (certificates: Certificate[], { cert }: Certificate) =>
    certificates.some((other) => other.cert === cert);
  const others = there.filter((certificate) => !has(needed, certificate));
  const useful = others.filter(
    ({ notBefore, notAfter }) => notAfter > now && (notBefore > newest || !settled),
  );
  if (useful.length === others.length && needed.every((certificate) => has(there, certificate)))
    return undefined;
  return [...needed, ...useful]
    .sort((a, b) => a.notBefore - b.notBefore || (a.cert < b.cert ? -1 : 1))
    .map(({ cert }) => cert)
    .join('');
}
