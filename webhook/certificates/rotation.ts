import type { SigningCertificate } from './authority.ts';
import type { Certificate } from './pem.ts';
import { madeAt, renewalTime, type Schedule } from './schedule.ts';

/** The CAs of a cluster. At most three, oldest first: one that has signed, the one that signs, one that will sign. */
export interface Authorities {
  /** Signs no more; what it signed is valid until `until` at the latest. */
  previous?: Certificate & { until: number };
  current: SigningCertificate;
  next?: SigningCertificate;
}

/**
 * What has to be done about the CAs:
 * - `make-first`: there is none that could sign;
 * - `restore`: they are gone, but this replica remembers them. They come back and are rotated, for whoever removed them
 *   wanted other ones;
 * - `make-next`: the current one has lived two thirds of its life;
 * - `promote`: every API server has seen the next one, so it can sign;
 * - `drop-previous`: what the previous one has signed has expired.
 */
export type Step = 'make-first' | 'restore' | 'make-next' | 'promote' | 'drop-previous';

export interface Situation {
  /** As they are kept, and as this replica remembers them. */
  kept: Authorities | undefined;
  remembered: Authorities | undefined;
  /** Since when this replica has seen every bundle complete, as far as it has. */
  publishedSince: number | undefined;
  now: number;
  schedule: Schedule;
}

export function nextStep({ kept, remembered, publishedSince, now, schedule }: Situation): Step | undefined {
  if (!kept) return remembered && remembered.current.notAfter > now ? 'restore' : 'make-first';
  const { current, next, previous } = kept;
  // It could sign nothing any more that lives as long as it should, whatever the bundles are.
  const ending = now >= current.notAfter - schedule.leafLifetime;
  const published = publishedSince !== undefined && now - publishedSince >= schedule.publication;
  if (next && next.notAfter > now && (ending || (published && !previous))) return 'promote';
  if (current.notAfter <= now) return 'make-first';
  if (previous && now >= previous.until) return 'drop-previous';
  if (!next && now >= renewalTime(madeAt(current), current.notAfter)) return 'make-next';
  return undefined;
}

/** The CAs after a step that `nextStep` asks for; `fresh` makes a new one. */
export async function takeStep(
  step: Step,
  { kept, remembered, now, schedule }: Situation,
  fresh: () => Promise<SigningCertificate>,
): Promise<Authorities> {
  switch (step) {
    case 'make-first':
      return { current: await fresh() };
    case 'restore':
    case 'make-next': {
      const authorities = kept ?? remembered!;
      return { ...authorities, next: authorities.next ?? (await fresh()) };
    }
    case 'promote': {
      const { current, next } = kept!;
      const { key: _, ...previous } = current;
      return { previous: { ...previous, until: now + schedule.retention }, current: next! };
    }
    case 'drop-previous': {
      const { previous: _, ...authorities } = kept!;
      return authorities;
    }
  }
}

/** The certificates that the API servers have to trust, oldest first. */
export function trusted({ previous, current, next }: Authorities): Certificate[] {
  return [previous, current, next].filter((certificate) => certificate !== undefined);
}
