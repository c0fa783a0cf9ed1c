import type { Authority } from './authority.ts';
import type { Clock } from './clock.ts';
import { issueLeaf, type Leaf } from './leaf.ts';
import { schedule } from './schedule.ts';
import type { Look, Source } from './source.ts';

/** Certificates of a CA that is gone with its process, and that somebody else makes known. */
export class ProcessSource implements Source {
  readonly #authority: Authority;
  readonly #names: readonly string[];
  readonly #clock: Pick<Clock, 'now'>;
  #renewAt = 0;

  constructor(authority: Authority, names: readonly string[], clock: Pick<Clock, 'now'>) {
    this.#authority = authority;
    this.#names = names;
    this.#clock = clock;
  }

  async look(held: Leaf | undefined): Promise<Look> {
    const now = this.#clock.now();
    const again = now + schedule.interval;
    if (held && now < this.#renewAt) return { remarks: [], again };
    const { leaf, renewAt } = await issueLeaf(this.#authority, this.#names, schedule.leafLifetime, now);
    this.#renewAt = renewAt;
    return { leaf, authorityNotAfter: this.#authority.notAfter, remarks: [], again };
  }
}
