import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { clockSkew, type Schedule } from '../../../webhook/certificates/schedule.ts';
import { shakeHands } from './handshake.ts';
import { MemoryBundles, MemorySecret } from './memory-stores.ts';
import { MovingClock } from './moving-clock.ts';
import { authoritySource, metricValue, type Replica, startReplica } from './replica.ts';

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

/** As in a cluster, but that a CA lives for four and a half days and not for a year, and that nobody looks every minute. */
export const schedule: Schedule = {
  authorityLifetime: 4.5 * day,
  leafLifetime: day,
  publication: 2 * hour,
  retention: day + clockSkew,
  interval: hour,
};

/** By which an API server is behind that is as far behind as it may be, and a little less. */
const lateness = schedule.publication - 10 * minute;

/** Replicas with a Secret and two webhook configurations, whose time a test moves. */
export class Cluster {
  readonly clock = new MovingClock(Date.parse('2026-01-01T00:00:00Z'));
  readonly secret = new MemorySecret('Secret test/ca');
  readonly mutating = new MemoryBundles('MutatingWebhookConfiguration test');
  readonly validating = new MemoryBundles('ValidatingWebhookConfiguration test');
  readonly replicas: Replica[] = [];
  /** What the bundle was, and since when. */
  readonly #history: { since: number; bundle: string }[] = [];

  constructor(t: TestContext) {
    this.mutating.changed = ([bundle]) => this.#history.push({ since: this.clock.now(), bundle: bundle! });
    this.mutating.put(['', '']);
    this.validating.put(['']);
    t.after(() => this.stop());
  }

  async start(count: number): Promise<void> {
    const stores = [this.mutating, this.validating];
    const starting = Array.from({ length: count }, () =>
      startReplica(this.clock, authoritySource(this.clock, schedule, this.secret, stores)),
    );
    this.replicas.push(...(await Promise.all(starting)));
    await this.clock.asleep(this.replicas.length);
  }

  stop(): void {
    for (const replica of this.replicas.splice(0)) replica.stop();
  }

  /** Lets the API server answer nothing but this, or as usual. */
  fail(failure: Error | undefined): void {
    for (const store of [this.secret, this.mutating, this.validating]) store.failure = failure;
  }

  /** Moves the time on, and has API servers shake hands with every replica every two hours; nothing is wrong with any. */
  async pass(time: number): Promise<void> {
    const end = this.clock.now() + time;
    while (this.clock.now() < end) {
      await this.clock.moveTo(Math.min(this.clock.now() + 2 * hour, end), this.replicas.length);
      assert.deepEqual(await this.shakeHands(), [], new Date(this.clock.now()).toISOString());
    }
  }

  /** The bundle of all webhooks, which is one. */
  bundle(): string {
    const bundles = [this.mutating, this.validating].flatMap(({ object }) => object?.content ?? []);
    assert.equal(new Set(bundles).size, 1);
    return bundles[0]!;
  }

  /** What is wrong for an API server that has just seen the bundle, and for one that is behind. */
  async shakeHands(replicas = this.replicas): Promise<string[]> {
    const now = this.clock.now();
    const bundle = this.bundle();
    const late = this.#history.findLast(({ since }) => since <= now - lateness)?.bundle || bundle;
    const problems = await Promise.all(
      replicas.flatMap(({ port }) => [bundle, late].map((trusted) => shakeHands(port, trusted, now))),
    );
    return problems.filter((problem) => problem !== undefined);
  }

  /** Of all replicas together. */
  async sum(
    metric: 'certificateRenewals' | 'certificateFailures',
    labels: Readonly<Record<string, string>> = {},
  ): Promise<number> {
    const values = await Promise.all(
      this.replicas.map(({ metrics }) => metricValue(metrics[metric], labels)),
    );
    return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
  }

  /** The log lines of all replicas with this message. */
  lines(msg: string): Record<string, unknown>[] {
    return this.replicas.flatMap(({ lines }) => lines).filter((line) => line.msg === msg);
  }
}
