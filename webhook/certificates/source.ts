import type { Leaf } from './leaf.ts';
import type { Step } from './rotation.ts';

/** Where certificates come from. */
export interface Source {
  /** Looks whether another certificate is due than `held`, which it gave before. */
  look(held: Leaf | undefined): Promise<Look>;
}

export interface Look {
  /** To be used from now on. */
  leaf?: Leaf;
  /** When the CA that signs expires, where it is ours. */
  authorityNotAfter?: number;
  /** What was done to the CAs. */
  step?: Step;
  remarks: readonly Remark[];
  /** When to look again at the latest, if nothing failed. */
  again: number;
}

/** Something that an administrator should know, for as long as it is so. */
export interface Remark {
  /** There are only so many of these. */
  about: string;
  sentence: string;
  /** Counted as, if it is a failure and not only waited for. */
  failure?: Failure;
}

/** What can fail about the certificate, as the metric calls it. */
export const failures = ['secret', 'bundle', 'directory', 'internal'] as const;

export type Failure = (typeof failures)[number];
