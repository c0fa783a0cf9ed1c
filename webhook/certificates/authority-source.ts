import { openAuthority, type SigningCertificate } from './authority.ts';
import type { Clock } from './clock.ts';
import { KeptAuthorities } from './kept-authorities.ts';
import { issueLeaf, type Leaf } from './leaf.ts';
import { Publication } from './publication.ts';
import { type Authorities, trusted } from './rotation.ts';
import type { Schedule } from './schedule.ts';
import type { Look, Remark, Source } from './source.ts';
import type { BundleStore, SecretStore } from './stores.ts';

export interface AuthorityOptions {
  secret: SecretStore;
  /** Of the webhook configurations that call this server. */
  bundles: readonly BundleStore[];
  /** DNS names and IP addresses of the server. */
  names: readonly string[];
  schedule: Schedule;
  clock: Pick<Clock, 'now'>;
}

/**
 * Certificates of CAs that all replicas share through a Secret, and keep in the bundles of the webhook configurations.
 * Every replica does all of it; the others go on from what the first has written.
 */
export class AuthoritySource implements Source {
  readonly #names: readonly string[];
  readonly #schedule: Schedule;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #kept: KeptAuthorities;
  readonly #publication: Publication;
  /** Of the last leaf: the certificate of its CA, and when to renew it. */
  #issued: { issuer: string; renewAt: number } | undefined;

  constructor({ secret, bundles, names, schedule, clock }: AuthorityOptions) {
    this.#names = names;
    this.#schedule = schedule;
    this.#clock = clock;
    this.#kept = new KeptAuthorities(secret, clock, schedule);
    this.#publication = new Publication(bundles, clock, schedule);
  }

  async look(held: Leaf | undefined): Promise<Look> {
    const remarks: Remark[] = [];
    const step = await this.#kept.look((authorities) => this.#publication.since(authorities), remarks);
    const authorities = this.#kept.remembered;
    if (!authorities) return { remarks, again: this.#again() };
    await this.#publication.look(authorities, remarks);
    const leaf = this.#isDue(held, authorities) ? await this.#issue(authorities.current) : undefined;
    return {
      ...(leaf && { leaf }),
      ...(step && { step }),
      authorityNotAfter: authorities.current.notAfter,
      remarks,
      again: this.#again(authorities.current),
    };
  }

  #again(current?: SigningCertificate): number {
    const usual = this.#clock.now() + this.#schedule.interval;
    return this.#issued && this.#issued.issuer === current?.cert
      ? Math.min(usual, this.#issued.renewAt)
      : usual;
  }

  /** Whether the current CA has to sign, which it does only when every API server trusts it, unless there is no choice. */
  #isDue(held: Leaf | undefined, authorities: Authorities): boolean {
    const now = this.#clock.now();
    const { current } = authorities;
    if (now >= current.notAfter) return false;
    if (!held || !this.#issued) return true;
    const { issuer, renewAt } = this.#issued;
    if (issuer === current.cert) return now >= renewAt;
    if (now >= held.notAfter - this.#schedule.interval) return true;
    const isTrusted = trusted(authorities).some(({ cert }) => cert === issuer);
    const since = this.#publication.since(authorities);
    return since !== undefined && now >= since + this.#schedule.publication && (now >= renewAt || !isTrusted);
  }

  async #issue(current: SigningCertificate): Promise<Leaf> {
    const authority = openAuthority(current, this.#clock.now);
    const { leaf, renewAt } = await issueLeaf(
      authority,
      this.#names,
      this.#schedule.leafLifetime,
      this.#clock.now(),
    );
    this.#issued = { issuer: current.cert, renewAt };
    return leaf;
  }
}
