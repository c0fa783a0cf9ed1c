import { makeAuthority, openAuthority, type SigningCertificate } from './authority.ts';
import { mergeBundle } from './bundle.ts';
import type { Clock } from './clock.ts';
import { readBundle } from './pem.ts';
import { type Authorities, nextStep, type Step, takeStep, trusted } from './rotation.ts';
import { renewalTime, type Schedule } from './schedule.ts';
import { readSecret, writeSecret } from './secret.ts';
import type { Leaf, Look, Remark, Source } from './source.ts';
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

/** How often something is read again at once because somebody else was first to write it. */
const attempts = 5;

/** The part of the time until its renewal by which a leaf may come earlier, so that not all replicas renew at once. */
const jitter = 0.1;

/**
 * Certificates of CAs that all replicas share through a Secret, and keep in the bundles of the webhook configurations.
 * Every replica does all of it; the others go on from what the first has written.
 */
export class AuthoritySource implements Source {
  readonly #options: AuthorityOptions;
  #remembered: Authorities | undefined;
  /** The bundle that this replica has seen everywhere at its last look, and since when. */
  #published: { bundle: string; since: number } | undefined;
  #issued: { issuer: string; renewAt: number } | undefined;

  constructor(options: AuthorityOptions) {
    this.#options = options;
  }

  async look(held: Leaf | undefined): Promise<Look> {
    const { clock, schedule } = this.#options;
    const remarks: Remark[] = [];
    const step = await this.#keepSecret(remarks);
    if (this.#remembered) await this.#keepBundles(this.#remembered, remarks);

    // Without the API server the leaf is signed by what this replica remembers.
    const current = this.#remembered?.current;
    const leaf =
      current && current.notAfter > clock.now() && this.#isDue(held, this.#remembered!)
        ? await this.#issue(current)
        : undefined;
    const again = clock.now() + schedule.interval;
    return {
      ...(leaf && { leaf }),
      ...(current && { authorityNotAfter: current.notAfter }),
      ...(step && { step }),
      remarks,
      again: this.#issued?.issuer === current?.cert ? Math.min(again, this.#issued?.renewAt ?? again) : again,
    };
  }

  /** Reads the Secret and takes the step that is due, if there is one. */
  async #keepSecret(remarks: Remark[]): Promise<Step | undefined> {
    const { secret, clock, schedule } = this.#options;
    const remark = (sentence: string) => remarks.push({ about: secret.name, sentence, failure: 'secret' });
    let made: Promise<SigningCertificate> | undefined;
    const fresh = () => {
      made ??= makeAuthority(clock.now(), schedule.authorityLifetime);
      return made;
    };
    try {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await secret.read();
        const { authorities, problem, foreign } = readSecret(found?.content ?? {});
        if (foreign) {
          remark(
            `${secret.name} is not ours (${problem}) and is left alone; name another in certificate.authoritySecret`,
          );
          return undefined;
        }
        const situation = {
          kept: authorities,
          remembered: this.#remembered,
          publishedSince: authorities && this.#publishedSince(authorities),
          now: clock.now(),
          schedule,
        };
        const step = nextStep(situation);
        const after = step ? await takeStep(step, situation, fresh) : authorities!;
        const same = !step && !problem;
        if (same || (await secret.write(writeSecret(after), found?.version))) {
          if (problem) remark(`${secret.name} was not usable as it was (${problem}) and is replaced`);
          this.#remembered = after;
          return step;
        }
      }
      remark(`${secret.name} is changed by others all the time`);
    } catch (error) {
      remark((error as Error).message);
    }
    return undefined;
  }

  async #keepBundles(authorities: Authorities, remarks: Remark[]): Promise<void> {
    const outcomes = await Promise.all(
      this.#options.bundles.map((store) => this.#keepBundle(store, authorities, remarks)),
    );
    const bundle = bundleOf(authorities);
    if (outcomes.includes('unknown')) this.#published = undefined;
    else if (this.#published?.bundle !== bundle || outcomes.includes('written'))
      this.#published = { bundle, since: this.#options.clock.now() };
  }

  async #keepBundle(
    store: BundleStore,
    authorities: Authorities,
    remarks: Remark[],
  ): Promise<'good' | 'written' | 'unknown'> {
    const { clock, schedule } = this.#options;
    try {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await store.read();
        if (!found) {
          remarks.push({ about: store.name, sentence: `there is no ${store.name} yet, so nobody calls` });
          return 'good';
        }
        const merged = found.content.map((bundle) => mergeBundle(bundle, authorities, clock.now(), schedule));
        if (merged.every((bundle) => bundle === undefined)) return 'good';
        if (await store.write(merged, found.version)) return 'written';
      }
      throw new Error(`${store.name} is changed by others all the time`);
    } catch (error) {
      remarks.push({ about: store.name, sentence: (error as Error).message, failure: 'bundle' });
      return 'unknown';
    }
  }

  #publishedSince(authorities: Authorities): number | undefined {
    return this.#published?.bundle === bundleOf(authorities) ? this.#published.since : undefined;
  }

  /** Whether the current CA has to sign, which it does only when every API server trusts it, unless there is no choice. */
  #isDue(held: Leaf | undefined, authorities: Authorities): boolean {
    const { clock, schedule } = this.#options;
    const now = clock.now();
    if (!held || !this.#issued) return true;
    const { issuer, renewAt } = this.#issued;
    if (issuer === authorities.current.cert) return now >= renewAt;
    if (now >= held.notAfter - schedule.interval) return true;
    const trustedNow = trusted(authorities).some(({ cert }) => cert === issuer);
    const since = this.#publishedSince(authorities);
    return since !== undefined && now >= since + schedule.publication && (now >= renewAt || !trustedNow);
  }

  async #issue(current: SigningCertificate): Promise<Leaf> {
    const { clock, names, schedule } = this.#options;
    const now = clock.now();
    const credentials = await openAuthority(current, clock.now).issue(names, schedule.leafLifetime);
    const { notAfter } = readBundle(credentials.cert)[0]!;
    const early = jitter * Math.random() * (renewalTime(now, notAfter) - now);
    // As good as it gets: no other leaf of this CA is valid for longer.
    const last = notAfter >= current.notAfter;
    const renewAt = last ? Number.POSITIVE_INFINITY : renewalTime(now, notAfter) - early;
    this.#issued = { issuer: current.cert, renewAt };
    return { ...credentials, notAfter };
  }
}

function bundleOf(authorities: Authorities): string {
  return trusted(authorities)
    .map(({ cert }) => cert)
    .join('');
}
