import type { Log } from '../../sidecar/contract/log.ts';
import type { Remark } from './source.ts';

/** Milliseconds after which a failure is told again that goes on, and between two that differ in their words only. */
const reminder = 3_600_000;
const pause = 60_000;

/** Logs what there is to remark when it begins, failures seldom while they go on, and when it is over. */
export function createRemarks(log: Log): (remarks: readonly Remark[], now: number) => void {
  const told = new Map<string, { sentence: string; at: number }>();
  return (remarks, now) => {
    for (const about of told.keys()) {
      if (remarks.some((remark) => remark.about === about)) continue;
      told.delete(about);
      log('info', 'certificate: solved', { about });
    }
    for (const { about, sentence, failure } of remarks) {
      const last = told.get(about);
      if (last && now < last.at + waitAfter(last.sentence === sentence, failure !== undefined)) continue;
      told.set(about, { sentence, at: now });
      log(failure ? 'warn' : 'info', 'certificate', { about, problem: sentence });
    }
  };
}

function waitAfter(same: boolean, failure: boolean): number {
  if (!same) return pause;
  return failure ? reminder : Number.POSITIVE_INFINITY;
}
