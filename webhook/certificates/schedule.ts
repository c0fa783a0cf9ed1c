const minute = 60_000;
const hour = 60 * minute;

/** How far the clocks of a cluster may be apart; certificates are valid from that long before they are made. */
export const clockSkew = hour;

/** The times of CAs and leaves, in milliseconds. */
export interface Schedule {
  authorityLifetime: number;
  leafLifetime: number;
  /** How long the bundle has a CA before that signs, so that every API server has seen it. */
  publication: number;
  /** How long the bundle has a CA after it stopped to sign: what it signed has expired by then. */
  retention: number;
  /** How often each replica looks whether all is well. */
  interval: number;
}

const leafLifetime = 24 * hour;

export const schedule: Schedule = {
  authorityLifetime: 365 * 24 * hour,
  // Short, because the key lives in memory and renewal costs nothing.
  leafLifetime,
  publication: 10 * minute,
  retention: leafLifetime + clockSkew,
  interval: minute,
};

/** When a certificate of ours was made. */
export function madeAt({ notBefore }: { notBefore: number }): number {
  return notBefore + clockSkew;
}

/** When to replace what is valid from `from` until `until`: after two thirds of its life. */
export function renewalTime(from: number, until: number): number {
  return from + ((until - from) * 2) / 3;
}
