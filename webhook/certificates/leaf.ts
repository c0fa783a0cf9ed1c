import { type Authority, createAuthority } from './authority.ts';
import { type Credentials, readBundle } from './pem.ts';
import { renewalTime } from './schedule.ts';

/** A certificate for the server. */
export interface Leaf extends Credentials {
  notAfter: number;
}

/** The part of the time until its renewal by which a leaf may come earlier, so that not all replicas renew at once. */
const jitter = 0.1;

/** Has a CA sign a leaf, and tells when to replace it by another of the same CA. */
export async function issueLeaf(
  authority: Authority,
  names: readonly string[],
  lifetime: number,
  now: number,
): Promise<{ leaf: Leaf; renewAt: number }> {
  const credentials = await authority.issue(names, lifetime);
  const { notAfter } = readBundle(credentials.cert)[0]!;
  const leaf = { ...credentials, notAfter };
  // As good as it gets: no other leaf of this CA is valid for longer.
  if (notAfter >= authority.notAfter) return { leaf, renewAt: Number.POSITIVE_INFINITY };
  const early = jitter * Math.random() * (renewalTime(now, notAfter) - now);
  return { leaf, renewAt: renewalTime(now, notAfter) - early };
}

/** A certificate that nobody trusts, for a server that has none yet but can say why. */
export async function issuePlaceholder(): Promise<Credentials> {
  return (await createAuthority()).issue(['localhost']);
}
