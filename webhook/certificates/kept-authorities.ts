import { makeAuthority, type SigningCertificate } from './authority.ts';
import type { Clock } from './clock.ts';
import { type Authorities, nextStep, type Step, takeStep } from './rotation.ts';
import type { Schedule } from './schedule.ts';
import { readSecret, writeSecret } from './secret.ts';
import type { Remark } from './source.ts';
import { attempts, type SecretStore } from './stores.ts';

/** The CAs that are in the Secret, and what this replica remembers of them when that cannot be read. */
export class KeptAuthorities {
  readonly #secret: SecretStore;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #schedule: Schedule;
  #remembered: Authorities | undefined;

  constructor(secret: SecretStore, clock: Pick<Clock, 'now'>, schedule: Schedule) {
    this.#secret = secret;
    this.#clock = clock;
    this.#schedule = schedule;
  }

  /** As they were when they could last be read. */
  get remembered(): Authorities | undefined {
    return this.#remembered;
  }

  /** Reads the Secret and takes the step that is due, if there is one; resolves to it. */
  async look(
    publishedSince: (authorities: Authorities) => number | undefined,
    remarks: Remark[],
  ): Promise<Step | undefined> {
    const { name } = this.#secret;
    const remark = (sentence: string) => remarks.push({ about: name, sentence, failure: 'secret' });
    let made: Promise<SigningCertificate> | undefined;
    const fresh = () => {
      made ??= makeAuthority(this.#clock.now(), this.#schedule.authorityLifetime);
      return made;
    };
    try {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await this.#secret.read();
        const { authorities, problem, foreign } = readSecret(found?.content ?? {});
        if (foreign) {
          remark(
            `${name} is not ours (${problem}) and is left alone; name another in certificate.authoritySecret`,
          );
          return undefined;
        }
        const situation = {
          kept: authorities,
          remembered: this.#remembered,
          publishedSince: authorities && publishedSince(authorities),
          now: this.#clock.now(),
          schedule: this.#schedule,
        };
        const step = nextStep(situation);
        const after = step ? await takeStep(step, situation, fresh) : authorities!;
        const isGood = !step && !problem;
        if (isGood || (await this.#secret.write(writeSecret(after), found?.version))) {
          if (problem) remark(`${name} was not usable as it was (${problem}) and is replaced`);
          this.#remembered = after;
          return step;
        }
      }
      remark(`${name} is changed by others all the time`);
    } catch (error) {
      remark((error as Error).message);
    }
    return undefined;
  }
}
