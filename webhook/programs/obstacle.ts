import type { Finding } from './status.ts';

/** What keeps a resource from being available. */
export class Obstacle extends Error {
  readonly finding: Finding;

  constructor(status: Finding['status'], reason: Finding['reason'], message: string) {
    super(message);
    this.finding = { status, reason, message };
  }
}
