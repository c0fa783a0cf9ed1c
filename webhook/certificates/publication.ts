import { mergeBundle } from './bundle.ts';
import type { Clock } from './clock.ts';
import { type Authorities, trusted } from './rotation.ts';
import type { Schedule } from './schedule.ts';
import type { Remark } from './source.ts';
import { attempts, type BundleStore } from './stores.ts';

/** Keeps the CAs in the bundles of the webhook configurations, and knows for how long they have been there. */
export class Publication {
  readonly #stores: readonly BundleStore[];
  readonly #clock: Pick<Clock, 'now'>;
  readonly #schedule: Schedule;
  /** What every bundle had at the last look, and since when this replica has seen that. */
  #seen: { bundle: string; since: number } | undefined;

  constructor(stores: readonly BundleStore[], clock: Pick<Clock, 'now'>, schedule: Schedule) {
    this.#stores = stores;
    this.#clock = clock;
    this.#schedule = schedule;
  }

  /** Since when all of these have been in every bundle, as far as this replica has seen it. */
  since(authorities: Authorities): number | undefined {
    return this.#seen?.bundle === bundleOf(authorities) ? this.#seen.since : undefined;
  }

  async look(authorities: Authorities, remarks: Remark[]): Promise<void> {
    const outcomes = await Promise.all(this.#stores.map((store) => this.#keep(store, authorities, remarks)));
    const isNew = this.since(authorities) === undefined || outcomes.includes('written');
    if (outcomes.includes('failed')) this.#seen = undefined;
    else if (isNew) this.#seen = { bundle: bundleOf(authorities), since: this.#clock.now() };
  }

  async #keep(
    store: BundleStore,
    authorities: Authorities,
    remarks: Remark[],
  ): Promise<'good' | 'written' | 'failed'> {
    const { name } = store;
    try {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await store.read();
        if (!found) {
          remarks.push({ about: name, sentence: `there is no ${name} yet; it is waited for` });
          return 'good';
        }
        const merged = found.content.map((bundle) =>
          mergeBundle(bundle, authorities, this.#clock.now(), this.#schedule),
        );
        if (merged.every((bundle) => bundle === undefined)) return 'good';
        if (await store.write(merged, found.version)) return 'written';
      }
      throw new Error(`${name} is changed by others all the time`);
    } catch (error) {
      remarks.push({ about: name, sentence: (error as Error).message, failure: 'bundle' });
      return 'failed';
    }
  }
}

function bundleOf(authorities: Authorities): string {
  return trusted(authorities)
    .map(({ cert }) => cert)
    .join('');
}
