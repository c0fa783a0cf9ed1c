import { createHash } from 'node:crypto';

/** What `identityOf` returns. */
export const identityShape = /^[0-9a-f]{16}$/;

/**
 * The identity of an injected pod, the same for the same seed. A pod made from generateName has no name yet when it is
 * admitted, and its template says no more than that of its siblings: what only it has is the request for its creation.
 */
export function identityOf(seed: string): string {
  return createHash('sha256').update(seed).digest('hex').slice(0, 16);
}
