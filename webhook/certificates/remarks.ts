import type { Log } from '../../sidecar/contract/log.ts';
import type { Remark } from './source.ts';

/** Milliseconds after which a remark is repeated that still holds, and between two that differ in their words only. */
const reminder = 3_600_000;
const pause = 60_000;

/** Logs what there is to remark when it begins, seldom while it goes on, and when it is over. */
export function createRemarks(log: Log): (remarks: readonly Remark[], now: number) => void {
  const told = new Map<string, { sentence: string; at: number }>();
  return (remarks, now) => {
    for (const about of told.keys()) {
      if (remarks.some((remark) => remark.about === about)) continue;
      told.delete(about);
      log('info', 'certificate problem is over', { about });
    }
    for (const { about, sentence, failure } of remarks) {
      const last = told.get(about);
      const due = last ? last.at + (last.sentence === sentence ? reminder : pause) : now;
      if (now < due) continue;
      told.set(about, { sentence, at: now });
      log(failure ? 'warn' : 'info', 'certificate', { about, problem: sentence });
    }
  };
}
