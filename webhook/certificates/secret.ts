import { readAuthority, type SigningCertificate } from './authority.ts';
import { type Certificate, readBundle } from './pem.ts';
import type { Authorities } from './rotation.ts';

/** The data of a Secret, decoded. */
export type SecretData = Readonly<Record<string, string>>;

/** What a Secret holds. Without `authorities` there is none that could sign. */
export interface Kept {
  authorities?: Authorities;
  /** What is wrong with it. */
  problem?: string;
  /** Whether it is somebody else's, and must be left alone. */
  foreign?: true;
}

const ours = new Set([
  'current.crt',
  'current.key',
  'next.crt',
  'next.key',
  'previous.crt',
  'previous.until',
]);

/**
 * Reads the CAs of a Secret. One with keys that are not ours is somebody else's. In ours, a CA that is broken counts as
 * not there; none is ever used whose key does not fit its certificate.
 */
export function readSecret(data: SecretData): Kept {
  const names = Object.keys(data);
  if (names.length === 0) return {};
  const other = names.find((name) => !ours.has(name));
  if (other !== undefined) return { foreign: true, problem: `${other} is none of its keys` };

  const problems: string[] = [];
  const part = <T>(name: 'current' | 'next' | 'previous', read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`);
      return undefined;
    }
  };
  const signing = (name: 'current' | 'next'): SigningCertificate | undefined =>
    part(name, () => readAuthority({ cert: data[`${name}.crt`] ?? '', key: data[`${name}.key`] ?? '' }));
  const has = (name: string) => names.some((key) => key.startsWith(name));

  const current = signing('current');
  const next = has('next') ? signing('next') : undefined;
  const previous = has('previous') ? part('previous', () => readPrevious(data)) : undefined;
  return {
    ...(current && { authorities: { ...(previous && { previous }), current, ...(next && { next }) } }),
    ...(problems.length > 0 && { problem: problems.join('; ') }),
  };
}

export function writeSecret({ previous, current, next }: Authorities): SecretData {
  return {
    ...(previous && {
      'previous.crt': previous.cert,
      'previous.until': new Date(previous.until).toISOString(),
    }),
    'current.crt': current.cert,
    'current.key': current.key,
    ...(next && { 'next.crt': next.cert, 'next.key': next.key }),
  };
}

function readPrevious(data: SecretData): Certificate & { until: number } {
  const [certificate] = readBundle(data['previous.crt'] ?? '');
  if (!certificate) throw new Error('the certificate cannot be read as PEM');
  const until = Date.parse(data['previous.until'] ?? '');
  if (Number.isNaN(until)) throw new Error('previous.until is no time as in RFC 3339');
  return { ...certificate, until };
}
